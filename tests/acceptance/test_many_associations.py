"""Many callers at once, idle and busy, and callers at the wrong port."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from dimse import associate, command
from pacs.dicom import uids
from tests.support.archive_server import AET, ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series
from tests.support.web_client import Web
from tests.unit.dimse.fakes import CT, Peer, store_rq, value

TORTURE = os.environ.get("HILUM_TORTURE") == "1"
IDLE = 200
SENDERS = 20
OBJECTS = 200 if TORTURE else 10
WATCHED_S = 10.0 if TORTURE else 3.0


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveServer]:
    server = ArchiveServer(tmp_path_factory.mktemp("many"), dimse_settings="max_associations = 220\n")
    with server.running():
        yield server


def listener(server: ArchiveServer) -> psutil.Process:
    return next(one for one in server.processes() if one.name().startswith("pacs dimse"))


def call(server: ArchiveServer) -> Peer:
    return Peer(socket.create_connection(("127.0.0.1", server.dimse_port), timeout=60), max_length=131_072)


def test_idle_associations_cost_nothing(archive: ArchiveServer) -> None:
    """Each has sent an object before it fell idle, as a modality has that keeps its association."""
    process = listener(archive)
    items = ct_series(IDLE, rows=256, columns=256)
    with contextlib.ExitStack() as stack:
        with call(archive) as first:
            first.associate()
            assert first.store(items[0].dataset, instance=items[0].instance).status == 0
        memory = process.memory_full_info().uss
        peers = [stack.enter_context(call(archive)) for _ in range(IDLE)]
        for peer, item in zip(peers, items, strict=True):
            peer.associate()
            assert peer.store(item.dataset, instance=item.instance).status == 0
        grown = process.memory_full_info().uss - memory
        before = process.cpu_times()
        time.sleep(WATCHED_S)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        print(
            f"{IDLE} idle: {grown / IDLE / 1024:.0f} KiB each, {100 * used / WATCHED_S:.1f} % of a processor"
        )
        assert grown / IDLE < 1 << 20
        assert used / WATCHED_S < 0.05
        assert peers[0].echo() == 0
        assert peers[-1].echo() == 0
        beyond = [stack.enter_context(call(archive)) for _ in range(25)]
        for peer in beyond[:20]:
            peer.associate()
        assert beyond[20].rejected() == (2, 3, 2)
    wait_for(archive.echo)


@pytest.mark.peer("dcmtk")
def test_twenty_senders_are_no_slower_than_one(archive: ArchiveServer, tmp_path: Path) -> None:
    """Everybody is served; speeds are compared in the long form only, which has the machine for itself."""
    folders = [write(tmp_path / f"{number}") for number in range(SENDERS)]
    alone = write(tmp_path / "alone", SENDERS * OBJECTS // 2)
    one = len(list(alone.iterdir())) / seconds(archive, [alone])
    many = SENDERS * OBJECTS / seconds(archive, folders)
    print(f"one sender {one:.0f}/s, {SENDERS} senders {many:.0f}/s")
    assert many >= one or not TORTURE


def write(folder: Path, count: int = OBJECTS) -> Path:
    folder.mkdir()
    for number, item in enumerate(ct_series(count, rows=128, columns=128)):
        (folder / f"{number}.dcm").write_bytes(item.part10())
    return folder


def seconds(server: ArchiveServer, folders: list[Path]) -> float:
    command_line = ["storescu", "-aec", AET, "127.0.0.1", str(server.dimse_port), "+sd"]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    began = time.perf_counter()
    senders = [
        subprocess.Popen([*command_line, str(folder)], env=environment, stderr=subprocess.PIPE)
        for folder in folders
    ]
    for sender in senders:
        assert sender.stderr is not None
        told = sender.stderr.read()
        sender.stderr.close()
        assert sender.wait() == 0, told
        assert b"Warning" not in told
    return time.perf_counter() - began


def spooled(server: ArchiveServer) -> list[Path]:
    found = (server.data / "spool").rglob("*")
    return [path for path in found if path.is_file() and path.name != ".lock"]


def begin(peer: Peer, item: DicomObject) -> None:
    """Half of an object."""
    peer.associate()
    start = value(3, command.encode(store_rq(1, item.instance)), is_command=True, is_last=True)
    peer.send(start + value(3, item.dataset[: len(item.dataset) // 2]))


def test_killed_in_the_middle_of_objects(archive: ArchiveServer) -> None:
    items = ct_series(5, rows=64, columns=64)
    with contextlib.ExitStack() as stack:
        kept = stack.enter_context(call(archive))
        kept.associate()
        assert kept.store(items[0].dataset, instance=items[0].instance).status == 0
        for item in items[1:]:
            begin(stack.enter_context(call(archive)), item)
        wait_for(lambda: len(spooled(archive)) == len(items) - 1)
        archive.kill9()
    archive.restart()
    wait_for(lambda: not spooled(archive))
    found = Web(archive.root).get(f"/studies/{items[0].study}/instances")
    assert found.status_code == 200
    assert len(found.json()) == 1


def test_dicom_on_the_http_port(archive: ArchiveServer) -> None:
    contexts = (associate.Proposed(1, CT, (uids.EXPLICIT_LE,)),)
    asked = associate.encode_request(associate.AssociateRequest(AET, "PEER", contexts, 16_384))
    with socket.create_connection(("127.0.0.1", archive.http_port), timeout=30) as sock:
        sock.sendall(asked)
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert Web(archive.root).get("/studies?limit=1").status_code in {200, 204}


def test_http_on_the_dicom_port(archive: ArchiveServer) -> None:
    """An A-ABORT for an unrecognized PDU (PS3.8 Table 9-26), and the end; the log says why."""
    with socket.create_connection(("127.0.0.1", archive.dimse_port), timeout=30) as sock:
        sock.sendall(b"GET /dicom-web/studies HTTP/1.1\r\nHost: archive\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sock.recv(4096), b""))
    assert answer == bytes.fromhex("07000000000400000201")
    wait_for(lambda: "unrecognized PDU" in archive.log())


def test_a_flood_of_echoes_and_a_port_scan(archive: ArchiveServer) -> None:
    process = listener(archive)
    descriptors = process.num_fds()

    def knock() -> None:
        for _ in range(25):
            with call(archive) as peer:
                peer.associate()
                assert {peer.echo(number + 1) for number in range(4)} == {0}
            socket.create_connection(("127.0.0.1", archive.dimse_port)).close()

    callers = [threading.Thread(target=knock) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_for(lambda: process.num_fds() <= descriptors)
    assert archive.echo()
