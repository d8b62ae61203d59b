"""The archive calls stations: `pacs echo`, `pacs send`; and promises to keep what they sent."""

import json
from collections.abc import Iterator

import pytest

from tests.support.archive_server import LAPTOP, ArchiveServer
from tests.support.commitment import Modality, modality, references
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, Station, station, wait_for
from tests.support.factory import ct_series, fresh_uid, with_changes
from tests.support.ports import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DONE, REFUSED, USAGE, AWAY = 0, 1, 2, 3


@pytest.fixture(scope="module")
def receiver() -> Iterator[Station]:
    with station([(CT, EXPLICIT)]) as one:
        yield one


@pytest.fixture(scope="module")
def asking() -> Iterator[Modality]:
    with modality() as one:
        yield one


@pytest.fixture(scope="module")
def archive(
    receiver: Station, asking: Modality, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ArchiveServer]:
    config = receiver.config()
    config += f'[dimse.peers.{asking.aet}]\nhost = "127.0.0.1"\nport = {asking.port}\n'
    config += f'[dimse.peers.GONE]\nhost = "127.0.0.1"\nport = {free_port()}\n'
    server = ArchiveServer(tmp_path_factory.mktemp("stations"), LAPTOP)
    server.config = config + f'[dimse.peers.HILUM]\nhost = "127.0.0.1"\nport = {server.dimse_port}\n'
    with server.running():
        yield server


@pytest.fixture(scope="module")
def items(archive: ArchiveServer) -> tuple[DicomObject, ...]:
    found = ct_series(6, rows=8, columns=8)
    assert set(Client(archive.dimse_port).store(found).values()) == {0}
    return found


def test_echo(archive: ArchiveServer, receiver: Station) -> None:
    """The archive is a station, too; the receiver knows of no verification."""
    done = archive.pacs("echo", "HILUM", "--json")
    assert done.returncode == DONE, done.stderr
    said = json.loads(done.stdout)
    assert (said["aet"], said["status"]) == ("HILUM", 0)
    assert said["association_ms"] > 0
    assert said["echo_ms"] > 0
    assert f"HILUM at 127.0.0.1:{archive.dimse_port} answers" in archive.pacs("echo", "HILUM").stdout
    done = archive.pacs("echo", receiver.aet)
    assert (done.returncode, "does not accept" in done.stderr) == (REFUSED, True), done.stderr
    done = archive.pacs("echo", "GONE", "--json")
    assert (done.returncode, done.stdout) == (AWAY, "")
    assert "Connection refused" in done.stderr
    done = archive.pacs("echo", "NOBODY")
    assert (done.returncode, "[dimse.peers.NOBODY]" in done.stderr) == (REFUSED, True)


def test_send(archive: ArchiveServer, receiver: Station, items: tuple[DicomObject, ...]) -> None:
    receiver.inbox.objects.clear()
    done = archive.pacs("send", receiver.aet, items[0].instance, items[1].instance, "--json")
    assert done.returncode == DONE, done.stderr
    said = json.loads(done.stdout)
    assert (said["sent"], said["failed"], said["failures"]) == (2, 0, [])
    assert {uid: one.digest for uid, one in receiver.inbox.objects.items()} == {
        item.instance: item.digest for item in items[:2]
    }
    done = archive.pacs("send", receiver.aet, items[0].study)
    assert (done.returncode, "6 sent to DEST" in done.stdout) == (DONE, True), done.stderr
    assert set(receiver.inbox.objects) == {item.instance for item in items}


def test_what_is_not_taken_is_listed(archive: ArchiveServer, receiver: Station) -> None:
    """A class that the station does not know."""
    (item,) = ct_series(1, rows=8, columns=8)
    other = with_changes(item, SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    assert Client(archive.dimse_port).store([other]) == {other.instance: 0}
    done = archive.pacs("send", receiver.aet, other.series, "--json")
    said = json.loads(done.stdout)
    assert (done.returncode, said["sent"], said["failed"]) == (REFUSED, 0, 1)
    assert said["failures"][0]["instance"] == other.instance


def test_send_to_nobody(archive: ArchiveServer, items: tuple[DicomObject, ...]) -> None:
    done = archive.pacs("send", "GONE", items[0].study)
    assert (done.returncode, "Connection refused" in done.stderr) == (AWAY, True), done.stderr
    done = archive.pacs("send", "DEST", unknown := fresh_uid())
    assert (done.returncode, unknown in done.stderr) == (REFUSED, True)


def test_commitments_are_listed(
    archive: ArchiveServer, asking: Modality, items: tuple[DicomObject, ...]
) -> None:
    transaction = asking.ask(archive.dimse_port, references(items))
    assert asking.reports.of(transaction).event_type == 1

    def told() -> bool:
        (found,) = json.loads(archive.pacs("commitment", "list", "--json").stdout)
        assert (found["station"], found["transaction_uid"]) == (asking.aet, transaction)
        assert (found["objects"], found["not_kept"], found["parked"]) == (6, 0, False)
        return found["told_by"] == "new association" and bool(found["told"])

    wait_for(told)
    shown = archive.pacs("commitment", "list")
    assert (shown.returncode, transaction in shown.stdout) == (DONE, True)
    assert "0 to be tried again" in archive.pacs("commitment", "retry").stdout
