"""schemathesis against what the archive says of itself in OpenAPI: `make fuzz`.

It is no dependency of the tests: `make fuzz` puts it into an environment of its own, build/schemathesis.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.support.archive_server import ArchiveServer
from tests.support.factory import ct_series
from tests.support.web_client import Web

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = ROOT / "build" / "schemathesis" / "bin" / "schemathesis"
EXAMPLES: Final = os.environ.get("FUZZ_EXAMPLES", "50")
CHECKS: Final = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "unsupported_method"
)


def main() -> int:
    if not COMMAND.exists():
        raise SystemExit("schemathesis is not in build/schemathesis: make fuzz puts it there")
    with tempfile.TemporaryDirectory() as folder, ArchiveServer(Path(folder)).running() as server:
        assert Web(server.root).store(ct_series(3, rows=8, columns=8)).status == 200
        words = ["run", f"{server.url}/api/openapi.json", "--checks", CHECKS, "--max-examples", EXAMPLES]
        # Streams of events have no end that could be waited for.
        done = subprocess.run([COMMAND, *words, "--exclude-path-regex", "events$"], cwd=folder, check=False)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
