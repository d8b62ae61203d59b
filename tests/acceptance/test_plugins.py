"""Models that run in the worker, over real wires: the demonstration network and plugins that misbehave."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.acceptance.test_ai import QUIET, READING, listed, reports, runs, wait_until
from tests.support.archive_server import CLUSTER, LAPTOP, REPOSITORY, ArchiveServer, environment
from tests.support.dicom_object import DicomObject, dataset_of
from tests.support.dimse_client import Client
from tests.support.factory import ct_series
from tests.support.plugins import write
from tests.support.web_client import Web


def plugin(name: str, path: Path, kind: str = "python", modality: str = "CT", **settings: Any) -> str:
    lines = {"name": name, "kind": kind, "path": str(path), **settings}
    return (
        "[[ai.models]]\n"
        + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
        + f'[[ai.rules]]\nname = "to {name}"\nmodel = "{name}"\nmodalities = ["{modality}"]\n'
    )


def example(*words: str) -> str:
    """Run one of the example's programs to its end."""
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=240,
        check=False, env=environment() | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def drawn(folder: Path) -> dict[str, tuple[str, DicomObject]]:
    """What each study shows, and its one object, by Study Instance UID."""
    found = {}
    with (folder / "truth.csv").open() as file:
        for row in csv.DictReader(file):
            path = folder / row["file"]
            ds = pydicom.dcmread(path, stop_before_pixels=True)
            found[row["study"]] = row["finding"], DicomObject(
                row["file"], row["study"], ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SOPClassUID,
                ds.file_meta.TransferSyntaxUID, dataset_of(path), path.read_bytes(),
            )  # fmt: skip
    return found


def test_what_the_demonstration_network_finds_rises(
    deploy: Callable[..., ArchiveServer], tmp_path: Path
) -> None:
    network, folder = tmp_path / "demo.onnx", tmp_path / "drawn"
    said = example("examples.demo_model.train", str(network), "--quick")
    assert "NOT FOR CLINICAL USE" in said
    example("examples.demo_model.synthesise", str(folder), "--size", "512")
    studies = drawn(folder)
    rising = ["pneumothorax"] * 2 + ["nodule"] * 3 + [""] * 5
    assert sorted((finding for finding, _ in studies.values()), reverse=True) == rising
    server = deploy(LAPTOP, config=READING + plugin("chest-demo", network, "onnx", "DX"))
    items = [item for _, item in studies.values()]
    assert set(Client(server.dimse_port).store(items).values()) == {0}
    wait_until(lambda: len(listed(server)) == 10, QUIET + 30)
    wait_until(lambda: [one["run"]["state"] for one in runs(server)] == ["done"] * 10, 120)

    order = [studies[item["study"]][0] for item in listed(server)]
    assert order == rising
    first = listed(server)[0]
    assert (first["finding"]["name"], first["finding"]["model"]) == ("pneumothorax", "chest-demo")
    assert first["urgency"] > 0.8
    (report,) = reports(server, first["study"])
    (evidence,) = report.CurrentRequestedProcedureEvidenceSequence
    (referenced,) = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert referenced.ReferencedSOPInstanceUID == studies[first["study"]][1].instance
    server.check()


BROKEN = {
    "hangs": "def read(study):\n    while True: pass",
    "eats-memory": "def read(study): return said(str(len(bytearray(8 << 30))))",
    "crashes": "import os, signal\ndef read(study): os.kill(os.getpid(), signal.SIGSEGV)",
    "raises": "def read(study): raise ValueError([p.instance for p in study.frames()] + ['Doe^Jane'])",
    "lies": "def read(study): return Answer('1', (FindingSaid('n', Severity.CRITICAL, 17.0),))",
}
REFUSED = {"raises", "lies"}
"""Trying again would not help these; the others may only have had a bad moment."""
GOOD = """
def read(study):
    brightest = max(float(picture.pixels.mean()) for picture in study.pictures(8, 8))
    return Answer("1", (FindingSaid("bright", Severity.CRITICAL, brightest > 0.1),))
"""


@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_no_plugin_hurts_the_worker(
    deployment: Any, deploy: Callable[..., ArchiveServer], tmp_path: Path
) -> None:
    """Studies are listed in time whatever plugins do, a good one is heard, and an operator sees what the
    others did."""
    config = READING + plugin("good", write(tmp_path, GOOD, "good.py"))
    for name, body in BROKEN.items():
        file = write(tmp_path, body, f"{name.replace('-', '_')}.py")
        config += plugin(name, file, timeout_seconds=2, attempts=1, memory_megabytes=256)
    config += plugin("absent", tmp_path / "absent.py", attempts=1)
    server = deploy(deployment, config=config)
    workers = {process.pid for process in server.processes()}
    (item,) = ct_series(1, rows=16, columns=16)
    assert Web(server.root).store([item]).status == 200
    took = wait_until(lambda: len(listed(server)) == 1)
    assert took < QUIET + 1.0 + 1.0, "and a second for a busy machine"
    wait_until(lambda: bool(listed(server)[0]["finding"]))
    assert listed(server)[0]["finding"]["model"] == "good"

    def settled() -> bool:
        found = runs(server)
        return len(found) == len(BROKEN) + 2 and all(
            one["parked"] or one["run"]["state"] in {"refused", "done"} for one in found
        )

    wait_until(settled, 120)
    found = {one["run"]["model"]: one for one in runs(server)}
    assert {name for name, one in found.items() if one["run"]["state"] == "refused"} == REFUSED
    assert {name for name, one in found.items() if one["parked"]} == {*BROKEN, "absent"} - REFUSED
    assert "memory" in found["eats-memory"]["reason"]
    assert "signal 11" in found["crashes"]["reason"]
    assert "ValueError at raises.py" in found["raises"]["reason"]
    assert "Doe" not in json.dumps(found) + server.log(10_000)
    assert workers <= {process.pid for process in server.processes()}, "a process of the archive was replaced"
