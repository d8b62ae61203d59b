"""Callers that go away, parts without end and studies of gigabytes: nothing stays behind, and memory
does not grow with what is sent. The figures are printed."""

import contextlib
import hashlib
import itertools
import os
import re
import secrets
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx
import psycopg
import pytest

from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject, part10_prefix
from tests.support.factory import Patient, ct_dataset, ct_series, encode, fresh_uid
from tests.support.resources import held, peak_memory, resident
from tests.support.web_client import Web

TORTURE: Final = os.environ.get("HILUM_TORTURE") == "1"
GONE: Final = 1000 if TORTURE else 60
PARTS: Final = 1_000_000 if TORTURE else 3_000
LARGE: Final = (96, 32 << 20) if TORTURE else (6, 16 << 20)  # objects of a study, bytes of each
GROWTH: Final = 96 << 20
POOLED: Final = 30  # handles of connections that the index may keep open
MULTIPART: Final = 'multipart/related; type="application/dicom"; boundary=b'
PART: Final = b"--b\r\nContent-Type: application/dicom\r\n\r\n"


def tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}")


def connections(server: ArchiveServer) -> int:
    """To the index, where it counts them."""
    if not server.index_url:
        return 0
    with psycopg.connect(server.index_url.replace("+psycopg", "")) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        found = connection.execute(query).fetchone()
        assert found is not None
        return int(found[0])


def spooled(server: ArchiveServer) -> list[Path]:
    return [path for path in server.data.rglob("spool/*/[!.]*") if path.is_file()]


def requests(server: ArchiveServer, items: Sequence[DicomObject]) -> list[bytes]:
    """Each is answered with more than its caller waits for, or never completed."""
    study, one = f"/dicom-web/studies/{items[0].study}", items[0]
    instance = f"{study}/series/{one.series}/instances/{one.instance}"

    def get(path: str, accept: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode()

    def post(path: str, sent: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\nContent-Length: 9999999\r\n"
        return head.encode() + b"\r\n" + sent

    dicom = "multipart/related; type=application/dicom; transfer-syntax"
    return [
        get(study, f"{dicom}=*"),
        get(study, f"{dicom}=1.2.840.10008.1.2.4.80"),
        get(study, "application/zip"),
        get(f"{study}?dicomdir=true", "application/zip"),
        get(f"{instance}/frames/1", "multipart/related; type=application/octet-stream"),
        get(f"{study}/metadata", "application/dicom+json"),
        get(f"{instance}/rendered", "image/png"),
        post("/dicom-web/studies", PART + one.part10()[:200_000]),
        post(f"/dicom-web/studies/{fresh_uid()}", PART + one.part10() + b"\r\n" + PART),
    ]


def hang_up(server: ArchiveServer, sent: Sequence[bytes], times: int) -> None:
    for number in range(times):
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=60) as line:
            line.sendall(sent[number % len(sent)])
            if number % 3:  # every third hangs up before it has been answered
                line.settimeout(0.2)
                with contextlib.suppress(TimeoutError):
                    line.recv(1000)
            # A reset rather than a polite end: the archive finds out while it writes.
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER] if TORTURE else [LAPTOP], ids=str)
def test_callers_that_go_away_leave_nothing(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], capsys: pytest.CaptureFixture[str]
) -> None:
    server = deploy(deployment)
    items = ct_series(6, rows=512, columns=512)
    assert Web(server.root).store(items).status == 200
    sent = requests(server, items)

    def now() -> tuple[int, int, int, int]:
        return (*held(server, "web"), connections(server), len(spooled(server)))

    def settled(limit: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        deadline = time.monotonic() + 60
        while any(one > most for one, most in zip(now(), limit, strict=True)):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return now()

    hang_up(server, sent, 3 * len(sent))
    before = settled((1 << 30, 1 << 30, 1 << 30, 0))
    hang_up(server, sent, GONE)
    limit = (before[0] + POOLED * deployment.web, before[1] + 10, before[2] + 5 * deployment.web, 0)
    after = settled(limit)
    tell(capsys, f"{GONE} callers gone: handles, threads, connections, spool {before} -> {after}")
    assert all(one <= most for one, most in zip(after, limit, strict=True)), (before, after, limit)
    parts = Web(server.root).objects(f"/studies/{items[0].study}")
    assert len(parts) == len(items)
    assert len(Web(server.root).search("/instances")) == len(items), "what was cut off is not there"
    server.check()


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_parts_without_end(laptop: ArchiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the same small object again and again: a hundred thousand are taken, no more. Of rubbish a
    thousand, whatever follows."""
    (item,) = ct_series(1, rows=4, columns=4)
    assert Web(laptop.root).store([item]).status == 200
    good = PART + item.part10() + b"\r\n"
    idle = resident(laptop)
    with peak_memory(laptop) as peaks:
        begun = time.monotonic()
        status, text = post_parts(laptop, good, PARTS)
        taken = time.monotonic() - begun
        if TORTURE:
            assert (status, "at most 100000" in text) == (400, True), text[:500]
        else:
            assert status == 200, text[:500]
        begun = time.monotonic()
        status, text = post_parts(laptop, b"--b\r\n\r\nnothing\r\n", PARTS)
        refused = time.monotonic() - begun
    assert (status, "at most" in text) == (400, True), text[:500]
    grown = growth(idle, peaks)
    tell(capsys, f"{PARTS} parts: taken in {taken:.0f} s, rubbish in {refused:.1f} s, {shown(grown)}")
    assert max(grown.values()) < GROWTH
    assert len(Web(laptop.root).search("/instances")) == 1
    assert not spooled(laptop)


def post_parts(server: ArchiveServer, part: bytes, count: int) -> tuple[int, str]:
    """Whoever refuses the rest says so and hangs up: what was said counts."""
    at_once = 1000
    with socket.create_connection(("127.0.0.1", server.http_port), timeout=900) as line:
        length = len(part) * count + len(b"--b--")
        head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\n"
        line.sendall(f"{head}Content-Length: {length}\r\nConnection: close\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for _ in range(count // at_once):
                line.sendall(part * at_once)
            line.sendall(b"--b--")
        answer = b""
        with contextlib.suppress(ConnectionError):
            while piece := line.recv(1 << 20):
                answer = (answer + piece)[:100_000]
    match = re.match(rb"HTTP/1\.1 ([0-9]{3})", answer)
    assert match, answer[:200]
    return int(match[1]), answer.decode("utf-8", "replace")


def growth(idle: dict[str, int], peaks: dict[str, int]) -> dict[str, int]:
    return {name: peak - idle.get(name, 0) for name, peak in peaks.items()}


def shown(grown: dict[str, int]) -> str:
    return "MiB over idle: " + ", ".join(
        f"{name.rpartition(' ')[0]} {more / 2**20:.0f}" for name, more in sorted(grown.items())
    )


class LargeStudy:
    """Objects that are made as they are sent: a frame of noise each, its number in front."""

    def __init__(self, count: int, size: int) -> None:
        self.study, self._series, self._count = fresh_uid(), fresh_uid(), count
        self._noise = os.urandom(size - 8)
        self._uids = [fresh_uid() for _ in range(count)]
        self.digests: set[str] = set()

    def object(self, number: int) -> Iterator[bytes]:
        rows = 4096
        columns = (len(self._noise) + 8) // 2 // rows
        ds = ct_dataset(
            self.study, self._series, number + 1, patient=Patient(), rows=rows, columns=columns, pixels=b""
        )
        ds.SOPInstanceUID = self._uids[number]
        del ds[0x7FE00010]
        pixels = struct.pack("<Q", number), self._noise
        length = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(self._noise) + 8)
        dataset = encode(ds) + length
        digest = hashlib.sha256(dataset)
        for piece in pixels:
            digest.update(piece)
        self.digests.add(digest.hexdigest())
        yield part10_prefix(ds.SOPClassUID, ds.SOPInstanceUID, "1.2.840.10008.1.2.1") + dataset
        yield from pixels

    def body(self, boundary: str) -> Iterator[bytes]:
        for number in range(self._count):
            yield f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            yield from self.object(number)
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()


@pytest.mark.torture
@pytest.mark.timeout(1800)
def test_a_study_of_gigabytes(laptop: ArchiveServer, capsys: pytest.CaptureFixture[str]) -> None:
    """In by one request, out by one answer, as objects and as an archive."""
    count, size = LARGE
    large = LargeStudy(count, size)
    (small,) = ct_series(1, rows=8, columns=8)
    assert Web(laptop.root).store([small]).status == 200
    assert Web(laptop.root).objects(f"/studies/{small.study}")
    idle = resident(laptop)
    boundary = secrets.token_hex(8)
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    marks = [time.monotonic()]
    with peak_memory(laptop) as peaks, httpx.Client(timeout=httpx.Timeout(600, connect=10)) as client:
        answer = client.post(
            f"{laptop.root}/studies", content=large.body(boundary), headers={"Content-Type": kind}
        )
        assert answer.status_code == 200, answer.text[:1000]
        marks.append(time.monotonic())
        stored = growth(idle, peaks)
        whole = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        for accept in (whole, "application/zip"):
            assert read(client, f"{laptop.root}/studies/{large.study}", accept) > count * size
            marks.append(time.monotonic())
    grown = growth(idle, peaks)
    took = ", ".join(f"{end - begin:.0f} s" for begin, end in itertools.pairwise(marks))
    tell(capsys, f"{count} x {size >> 20} MiB in, out, zipped: {took}; {shown(grown)} (in: {shown(stored)})")
    assert max(grown.values()) < GROWTH
    assert {match["digest"] for match in files(laptop, large)} == large.digests
    for path in laptop.data.rglob("*.dcm"):
        path.unlink()  # gigabytes that nobody needs until the folder is cleaned


def read(client: httpx.Client, url: str, accept: str) -> int:
    with client.stream("GET", url, headers={"Accept": accept}) as answer:
        assert answer.status_code == 200
        return sum(len(piece) for piece in answer.iter_bytes(1 << 20))


def files(server: ArchiveServer, large: LargeStudy) -> Iterator[dict[str, str]]:
    """What lies there, data set by data set."""
    for path in (server.data / "hot").rglob(f"{large.study}/*/*.dcm"):
        with path.open("rb") as source:
            head = source.read(1024)
            (group,) = struct.unpack("<I", head[140:144])
            source.seek(144 + group)
            yield {"digest": hashlib.file_digest(source, "sha256").hexdigest()}
