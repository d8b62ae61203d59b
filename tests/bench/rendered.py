"""`/rendered` beside Orthanc: the same CT objects, asked for one after the other in both, alternating.

Orthanc is taken from PATH (Debian: orthanc, orthanc-dicomweb; ORTHANC_PLUGINS names the folder of its
plugins if it is elsewhere). Without it our own figures are printed alone.
"""

import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.orthanc import orthanc
from tests.support.archive_server import ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, fresh_uid
from tests.support.web_client import Web

OBJECTS = int(os.environ.get("BENCH_OBJECTS", "60"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EDGE = 512
RESULTS = Path(__file__).parents[2] / "bench" / "results"
WORK = {
    "rendered": "/rendered",
    "rendered, window": "/rendered?window=40,400,linear",
    "rendered, 256 x 256": "/rendered?viewport=256,256",
}


def ct() -> tuple[DicomObject, ...]:
    """A body in air, with noise: what a JPEG of a CT costs."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:EDGE, :EDGE]
    study, series = fresh_uid(), fresh_uid()
    found = []
    for number in range(1, OBJECTS + 1):
        body = np.hypot(down - EDGE / 2, across - EDGE / 2) < 0.43 * EDGE
        pixels = body * 1040 - 1000 + 60 * np.sin(across / 30 + number) + rng.normal(0, 12, (EDGE, EDGE))
        ds = ct_dataset(
            study,
            series,
            number,
            patient=Patient(),
            rows=EDGE,
            columns=EDGE,
            pixels=pixels.astype("<i2").tobytes(),
        )
        ds.WindowCenter, ds.WindowWidth, ds.RescaleSlope, ds.RescaleIntercept = 40, 400, 1, 0
        found.append(as_object(ds))
    return tuple(found)


def milliseconds(client: httpx.Client, root: str, objects: tuple[DicomObject, ...], suffix: str) -> float:
    """The median of one request."""
    taken = []
    for item in objects:
        begun = time.perf_counter()
        answer = client.get(item.path(root) + suffix, headers={"Accept": "image/jpeg"})
        taken.append((time.perf_counter() - begun) * 1e3)
        answer.raise_for_status()
        assert answer.content.startswith(b"\xff\xd8")
    return statistics.median(taken)


def main() -> None:
    objects = ct()
    figures: dict[str, dict[str, list[float]]] = {work: {} for work in WORK}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        roots = {"Hilum": stack.enter_context(ArchiveServer(Path(name) / "hilum").running()).root}
        if shutil.which("Orthanc"):
            roots["Orthanc"] = stack.enter_context(orthanc(Path(name) / "orthanc"))
        client = stack.enter_context(httpx.Client(timeout=60))
        for root in roots.values():
            answer = Web(root).store(objects)
            assert answer.status == 200, answer
        for _ in range(ROUNDS):
            for work, suffix in WORK.items():
                for peer, root in roots.items():
                    figures[work].setdefault(peer, []).append(milliseconds(client, root, objects, suffix))
    report(figures)


def report(figures: dict[str, dict[str, list[float]]]) -> None:
    print(f"\n{OBJECTS} CT objects of {EDGE}x{EDGE}x16 bit, one connection, {ROUNDS} rounds; medians in ms")
    for work, peers in figures.items():
        medians = {peer: statistics.median(values) for peer, values in peers.items()}
        said = ", ".join(f"{peer} {value:.2f}" for peer, value in medians.items())
        ratio = f"; ratio {medians['Hilum'] / medians['Orthanc']:.2f}" if "Orthanc" in medians else ""
        print(f"{work:22}{said}{ratio}")
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "rendered.json").write_text(
        json.dumps({"machine": platform.platform(), "processors": os.cpu_count(), "ms": figures}, indent=2)
    )


if __name__ == "__main__":
    main()
