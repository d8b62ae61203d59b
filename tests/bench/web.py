"""DICOMweb beside Orthanc: the same objects, asked for in the same minutes, alternating; medians.

What a row asks is in WORK. BENCH_OBJECTS slices make the CT study, BENCH_TINY studies of one instance
the list that is searched. Needs Orthanc and wrk from Debian; without Orthanc our figures stand alone.
"""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.orthanc import orthanc
from tests.bench.table import write_table
from tests.support import archive_server
from tests.support.archive_server import ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, as_object, ct_dataset, ct_series, fresh_uid
from tests.support.web_client import Web, multipart

OBJECTS: Final = int(os.environ.get("BENCH_OBJECTS", "300"))
TINY: Final = int(os.environ.get("BENCH_TINY", "20000"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
PROCESSES: Final = int(os.environ.get("BENCH_PROCESSES", "2"))
SECONDS: Final = os.environ.get("BENCH_SECONDS", "3")
EDGE: Final = 512
BATCH: Final = 200
ROOT: Final = Path(__file__).parents[2]
FRAME: Final = "multipart/related; type=application/octet-stream; transfer-syntax=*"
WHOLE: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
JSON: Final = "application/dicom+json"


@dataclass(frozen=True, slots=True)
class Row:
    """`unit` is req/s, of which more is better, or ms. `target` is the ratio to be reached first."""

    name: str
    unit: str
    target: float
    ask: Callable[["Subject"], float]


@dataclass(frozen=True, slots=True)
class Subject:
    """One archive and what it holds."""

    root: str
    study: Sequence[DicomObject]
    client: httpx.Client
    folder: Path

    @property
    def study_url(self) -> str:
        return f"{self.root}/studies/{self.study[0].study}"

    def milliseconds(self, urls: Sequence[str], accept: str, least: int) -> float:
        """Of one request after the other, over one connection; `least` bytes must come."""
        answer = self.client.get(urls[0], headers={"Accept": accept})
        assert answer.status_code == 200, answer.text[:500]
        assert len(answer.content) > least
        return 1e3 / self.per_second(urls, accept, connections=1)

    def per_second(self, urls: Sequence[str], accept: str, connections: int = 4) -> float:
        script = self.folder / "asks.lua"
        paths = ", ".join(json.dumps(httpx.URL(url).raw_path.decode()) for url in urls)
        script.write_text(
            f"local paths = {{ {paths} }}\nlocal n = 0\n"
            f'wrk.headers["Accept"] = {json.dumps(accept)}\n'
            "request = function() n = n % #paths + 1; return wrk.format('GET', paths[n]) end\n"
        )
        command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), self.root]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "Non-2xx" not in said, said
        return float(re.findall(r"Requests/sec:\s+([0-9.]+)", said)[0])


def _rendered(query: str = "") -> Callable[[Subject], float]:
    def ask(subject: Subject) -> float:
        items = subject.study[:: max(1, len(subject.study) // 20)]
        urls = [f"{item.path(subject.root)}/rendered{query}" for item in items]
        return subject.milliseconds(urls, "image/jpeg", 1000)

    return ask


def _page(offset: int) -> Callable[[Subject], float]:
    return lambda one: one.per_second([f"{one.root}/studies?limit=25&offset={offset}"], JSON)


WORK: Final = (
    Row(
        "metadata of the CT study",
        "ms",
        1 / 25,
        lambda s: s.milliseconds([f"{s.study_url}/metadata"], JSON, 500 * OBJECTS),
    ),
    Row(
        "frame, 4 connections",
        "req/s",
        3,
        lambda s: s.per_second([f"{item.path(s.root)}/frames/1" for item in s.study], FRAME),
    ),
    Row("rendered", "ms", 0.5, _rendered()),
    Row("rendered with a window", "ms", 0.5, _rendered("?window=40,400,linear")),
    Row("rendered in 256 x 256", "ms", 0.5, _rendered("?viewport=256,256")),
    Row(
        "whole CT study",
        "ms",
        0.8,
        lambda s: s.milliseconds([s.study_url], WHOLE, OBJECTS * EDGE * EDGE * 2),
    ),
    Row("QIDO page of 25, 4 connections", "req/s", 30, _page(0)),
    Row("QIDO page of 25, far behind", "req/s", 30, _page(TINY * 3 // 4)),
)


def ct(slices: int = OBJECTS) -> tuple[DicomObject, ...]:
    """A body in air, with noise."""
    rng = np.random.default_rng(0)
    down, across = np.mgrid[:EDGE, :EDGE]
    body = np.hypot(down - EDGE / 2, across - EDGE / 2) < 0.43 * EDGE
    study, series = fresh_uid(), fresh_uid()

    def slice_(number: int) -> DicomObject:
        pixels = body * 1040 - 1000 + 60 * np.sin(across / 30 + number) + rng.normal(0, 12, (EDGE, EDGE))
        ds = ct_dataset(
            study, series, number, patient=Patient(), rows=EDGE, columns=EDGE,
            pixels=pixels.astype("<i2").tobytes(),
        )  # fmt: skip
        ds.WindowCenter, ds.WindowWidth, ds.RescaleSlope, ds.RescaleIntercept = 40, 400, 1, 0
        return as_object(ds)

    return tuple(slice_(number) for number in range(1, slices + 1))


def tiny() -> Iterator[DicomObject]:
    for number in range(TINY):
        patient = Patient(name=f"Tiny^Patient{number}", id=f"T{number:06d}")
        yield from ct_series(1, rows=8, columns=8, patient=patient)


def load(roots: Mapping[str, str], study: Sequence[DicomObject]) -> None:
    """The same objects into each."""
    for root in roots.values():
        for begin in range(0, len(study), 50):
            answer = Web(root).store(study[begin : begin + 50])
            assert answer.status == 200, answer
    batch: list[DicomObject] = []
    for item in tiny():
        batch.append(item)
        if len(batch) == BATCH:
            _store(roots, batch)
            batch.clear()
    if batch:
        _store(roots, batch)


def _store(roots: Mapping[str, str], batch: Sequence[DicomObject]) -> None:
    for root in roots.values():
        body = b"".join(multipart((item.part10() for item in batch), "tiny"))
        kind = 'multipart/related; type="application/dicom"; boundary=tiny'
        answer = httpx.post(f"{root}/studies", content=body, headers={"Content-Type": kind}, timeout=600)
        assert answer.status_code == 200, answer.text[:500]


def main() -> None:
    archive_server.START_SECONDS = 300  # on a busy machine
    busy, study = os.getloadavg()[0], ct()
    figures: dict[str, dict[str, list[float]]] = {row.name: {} for row in WORK}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        server = ArchiveServer(Path(name) / "hilum", Deployment("sqlite", 1, PROCESSES))
        roots = {"Hilum": stack.enter_context(server.running()).root}
        if shutil.which("Orthanc"):
            roots["Orthanc"] = stack.enter_context(orthanc(Path(name) / "orthanc"))
        load(roots, study)
        client = stack.enter_context(httpx.Client(timeout=600))
        subjects = {peer: Subject(root, study, client, Path(name)) for peer, root in roots.items()}
        for number in range(ROUNDS + 1):
            for row in WORK:
                for peer, subject in subjects.items():
                    figure = row.ask(subject)
                    if number:  # the first round warms what each keeps warm
                        figures[row.name].setdefault(peer, []).append(figure)
    report(figures, busy)


def report(figures: Mapping[str, Mapping[str, Sequence[float]]], busy: float) -> None:
    table = as_table(figures, busy)
    print(f"\n{table}")
    write_table(ROOT / "docs" / "performance.md", "web", table)
    folder = ROOT / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    told_of = {
        "machine": platform.platform(), "processors": os.cpu_count(), "slices": OBJECTS, "tiny": TINY,
        "web_processes": PROCESSES, "figures": figures,
    }  # fmt: skip
    (folder / "web.json").write_text(json.dumps(told_of, indent=2) + "\n")


def as_table(figures: Mapping[str, Mapping[str, Sequence[float]]], busy: float) -> str:
    lines = ["| work | Hilum | Orthanc | ratio | first target |", "| --- | --- | --- | --- | --- |"]
    for row in WORK:
        ours, theirs = (figures[row.name].get(peer) for peer in ("Hilum", "Orthanc"))
        told = [f"{statistics.median(one):.4g} {row.unit}" if one else "" for one in (ours, theirs)]
        ratio = f"{statistics.median(ours) / statistics.median(theirs):.3g}" if ours and theirs else ""
        sign = ">=" if row.unit == "req/s" else "<="
        lines.append(f"| {row.name} | {told[0]} | {told[1]} | {ratio} | {sign} {row.target:.3g} |")
    lines += [
        "",
        f"CT of {OBJECTS} slices, {TINY} studies of one instance, {PROCESSES} web processes,",
        f"{ROUNDS} rounds, {os.cpu_count()} processors, load {busy:.1f} before,",
        f"Python {platform.python_version()}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
