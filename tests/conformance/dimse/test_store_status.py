"""What a sender is told of an object (PS3.4 Table B.2-1, PS3.7 9.1.1.1.9), and what becomes of it when
it sends again."""

import contextlib
import resource
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from pacs.config import Peer as Known
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, Open, serving
from tests.support.archive_server import ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, identifier, paused, store_raw, wait_for
from tests.support.factory import Patient, as_object, ct_dataset, ct_series, encode, fresh_uid
from tests.unit.dimse.fakes import CT, Peer, store_rq

MR = "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("statuses")) as house:
        yield house


def good() -> DicomObject:
    return ct_series(1, rows=8, columns=8)[0]


def changed(**attributes: object) -> DicomObject:
    """A CT image with other values in its data set than it is sent for; None takes an attribute away."""
    ds = ct_dataset(fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=8, columns=8, pixels=bytes(128))
    sent = as_object(ds)
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return replace(sent, dataset=encode(ds))


def without_valid_study(item: DicomObject) -> DicomObject:
    uid = item.study.encode()
    return replace(item, dataset=item.dataset.replace(uid, uid[:-1] + b"x"))


@contextlib.contextmanager
def sending(house: House, aet: str = "TESTER") -> Iterator[Association]:
    client = Client(house.port, aet=aet)
    with client.association([build_context(CT, uids.EXPLICIT_LE)]) as association, paused(association):
        yield association


BROKEN: dict[str, tuple[int, DicomObject]] = {
    "another class": (0xA900, changed(SOPClassUID=MR)),
    "another instance": (0xA901, replace(changed(), instance=fresh_uid())),
    "nothing": (0xC004, replace(good(), dataset=b"")),
    "no data set": (0xC003, replace(good(), dataset=b"GIF89a, and certainly no data set at all")),
    "nothing but zeros": (0xC004, replace(good(), dataset=bytes(4 << 20))),
    "nothing but headers": (0xC003, replace(good(), dataset=b"\x09\0\x10\0LO\0\0" * 100_000)),
    "cut off": (0xC002, replace(good(), dataset=good().dataset[:-20])),
    "no series": (0xC004, changed(SeriesInstanceUID=None)),
    "a study that is no UID": (0xC005, without_valid_study(good())),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_object_is_refused_whenever_it_comes_and_others_are_not(house: House, what: str) -> None:
    expected, broken = BROKEN[what]
    with sending(house) as association:
        assert store_raw(association, broken) == expected
        assert store_raw(association, good()) == 0
        assert store_raw(association, broken) == expected


def test_what_the_sender_repaired_is_taken(house: House) -> None:
    whole = good()
    with sending(house) as association:
        assert store_raw(association, replace(whole, dataset=whole.dataset[:-20])) == 0xC002
        assert store_raw(association, whole) == 0
    status, (found,) = house.client.find(identifier("IMAGE", SOPInstanceUID=whole.instance))
    assert (status, found.SOPInstanceUID) == (0, whole.instance)


def test_an_object_sent_twice_is_there_once(house: House) -> None:
    item = good()
    with sending(house) as association:
        assert [store_raw(association, item) for _ in range(3)] == [0, 0, 0]
    keys = identifier("SERIES", SeriesInstanceUID=item.series, NumberOfSeriesRelatedInstances=None)
    assert house.client.find(keys)[1][0].NumberOfSeriesRelatedInstances == 1


@pytest.mark.parametrize("frames", ["2", "400"])
def test_an_image_without_all_its_frames_is_kept_with_a_warning(house: House, frames: str) -> None:
    """B007, data set does not match SOP class: senders count it as done and do not send again."""
    item = changed(NumberOfFrames=frames)
    with sending(house) as association:
        assert store_raw(association, item) == 0xB007
        assert store_raw(association, item) == 0
    status, found = house.client.find(identifier("IMAGE", SOPInstanceUID=item.instance))
    assert (status, len(found)) == (0, 1)


def test_the_command_is_looked_at_before_the_object(house: House) -> None:
    item = good()
    with Peer(socket.create_connection(("127.0.0.1", house.port), timeout=10)) as peer:
        peer.associate((CT, uids.EXPLICIT_LE))
        for message_id, instance, sop_class, expected in (
            (1, "1.2.x", CT, 0x0117),
            (2, item.instance, MR, 0x0122),
            (3, item.instance, "1.2.3.4", 0x0122),
            (4, item.instance, CT, 0),
        ):
            peer.request(1, store_rq(message_id, instance, sop_class), item.dataset)
            answer, _ = peer.message()
            assert (answer.responded_to, answer.status) == (message_id, expected)
        peer.release()


def test_a_station_without_the_right_is_told_so_each_time(open_house: Open) -> None:
    house = open_house(callers=(Known("READER", "127.0.0.1", roles=("viewer",)),))
    with sending(house, "READER") as association:
        assert [store_raw(association, good()) for _ in range(2)] == [0x0124, 0x0124]


def test_other_bytes_under_a_known_uid_where_the_first_are_kept(tmp_path: Path) -> None:
    first = good()
    second = replace(first, dataset=first.dataset.replace(b"Synthetic study", b"Another study  "))
    with serving(tmp_path, conflict="keep-first") as house, sending(house) as association:
        assert [store_raw(association, item) for item in (first, second, first)] == [0, 0xC011, 0]


@pytest.mark.peer("dcmtk")
def test_storescu_goes_on_or_stops_as_it_was_told(house: House, tmp_path: Path) -> None:
    items = [changed(SeriesInstanceUID=None), changed(NumberOfFrames="2"), good()]
    for number, item in enumerate(items):
        (tmp_path / f"{number}.dcm").write_bytes(item.part10())

    def send(*words: str) -> tuple[int, int]:
        done = subprocess.run(
            ["storescu", *words, "-v", "-aec", "HILUM", "127.0.0.1", str(house.port),
             *(str(tmp_path / f"{number}.dcm") for number in range(3))],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, (done.stdout + done.stderr).count("Received Store Response")

    assert send()[1] == 1
    assert send("--no-halt")[1] == 3
    found = house.client.find(identifier("IMAGE", SOPInstanceUID=[item.instance for item in items]))[1]
    assert {one.SOPInstanceUID for one in found} == {item.instance for item in items[1:]}


@pytest.mark.peer("dcmtk")
def test_a_full_disk_is_out_of_resources_until_there_is_space(tmp_path: Path) -> None:
    """A700 (PS3.4 Table B.2-1) is what makes a modality send again later: nothing of the object stays,
    the association does, and the same object is taken once there is space."""
    (small,), (big,) = ct_series(1, rows=8, columns=8), ct_series(1, rows=512, columns=512)
    (tmp_path / "big.dcm").write_bytes(big.part10())
    server = ArchiveServer(tmp_path / "archive")
    words = ["storescu", "-aec", "HILUM", "127.0.0.1", str(server.dimse_port), str(tmp_path / "big.dcm")]
    with server.running():
        house = Client(server.dimse_port)
        assert house.store([small]) == {small.instance: 0}
        with no_file_beyond(server, 200_000):
            with house.association([build_context(CT, uids.EXPLICIT_LE)]) as association, paused(association):
                assert [store_raw(association, item) for item in (big, big)] == [0xA700, 0xA700]
                assert store_raw(association, small) == 0
            refused = subprocess.run(words, check=False)
            assert refused.returncode == 0xA7  # DCMTK ends with the first byte of the status
        assert subprocess.run(words, check=False).returncode == 0
        assert house.store([big]) == {big.instance: 0}
        spool = server.data / "spool"
        wait_for(lambda: {path.name for path in spool.rglob("*") if path.is_file()} <= {".lock"}, 30)


@contextlib.contextmanager
def no_file_beyond(server: ArchiveServer, size: int) -> Iterator[None]:
    """The listeners' writes fail beyond so many bytes of a file, as on a disk that is full."""
    listeners = [p for p in server.processes() if p.name().startswith("pacs dimse")]
    assert listeners
    before = [process.rlimit(psutil.RLIMIT_FSIZE) for process in listeners]
    for process in listeners:
        process.rlimit(psutil.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        for process, limits in zip(listeners, before, strict=True):
            process.rlimit(psutil.RLIMIT_FSIZE, limits)
