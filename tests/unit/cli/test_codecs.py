"""`pacs codecs` tells what is there."""

import json
import subprocess
import sys


def test_every_syntax_with_its_codecs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pacs", "codecs", "--json"], capture_output=True, text=True, check=True
    )
    lines = json.loads(done.stdout)
    found = {line["transfer_syntax"] for line in lines if line["decode"] and not line["missing"]}
    assert {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91, 201, 202, 203)} <= found
    assert "1.2.840.10008.1.2.5" in found
    written = {line["transfer_syntax"] for line in lines if line["encode"]}
    assert {f"1.2.840.10008.1.2.4.{n}" for n in (80, 90, 201, 202)} <= written
    table = subprocess.run(
        [sys.executable, "-m", "pacs", "codecs"], capture_output=True, text=True, check=True
    )
    assert "HTJ2K" in table.stdout or "High-Throughput" in table.stdout
