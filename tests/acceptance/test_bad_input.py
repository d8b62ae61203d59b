"""Bad input on each wire: a clear answer, the archive lives, nothing lost or leaked."""

import io
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import CTImageStorage

from tests.support import corpus
from tests.support.archive_server import ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, identifier, wait_for
from tests.support.factory import ct_series, with_changes
from tests.support.web_client import Web, value

EXPLICIT_LE = "1.2.840.10008.1.2.1"


@dataclass(frozen=True, slots=True)
class Bad:
    """Something that must not get in. `dataset` is what C-STORE sends, `file` what STOW does."""

    name: str
    dataset: bytes
    file: bytes
    sop_class: str = CTImageStorage
    instance: str = "1.2.3.4.5.6"


def good() -> DicomObject:
    return ct_series(1, rows=32, columns=32)[0]


def bad(name: str, item: DicomObject) -> Bad:
    return Bad(name, item.dataset, item.part10(), item.sop_class, item.instance or "1.2.3.4.5.6")


def truncated(name: str, keep: float) -> Bad:
    item = good()
    cut = item.dataset[: int(len(item.dataset) * keep)]
    prefix = len(item.part10()) - len(item.dataset)
    return Bad(name, cut, item.part10()[: prefix + len(cut)], item.sop_class, item.instance)


def forged(name: str, old: bytes, new: bytes, *, instance: str = "") -> Bad:
    """The same length, other bytes: UIDs that pydicom itself would not write."""
    item = good()
    assert len(old) == len(new)
    assert old in item.dataset
    return Bad(
        name, item.dataset.replace(old, new), item.part10().replace(old, new), item.sop_class, instance
    )


def path_uid(keyword: str) -> Bad:
    item = good()
    old = getattr(item, keyword).encode()
    new = b"../../../../tmp/hilum-escape".ljust(len(old), b"x")[: len(old)]
    return Bad(
        f"path characters in the {keyword} UID", item.dataset.replace(old, new),
        item.part10().replace(old, new), item.sop_class, "1.2.3.4.5.7",
    )  # fmt: skip


def cases() -> Iterator[Bad]:
    yield truncated("cut in the pixels", 0.9)
    yield truncated("cut in the header", 0.05)
    for item in corpus.incomplete():
        yield bad(item.name, item)
    text = b"The quick brown fox jumps over the lazy dog. " * 50
    yield Bad("text", text, text)
    yield Bad("zero bytes", b"", b"")
    noise = os.urandom(100_000)
    yield Bad("noise", noise, noise)
    for keyword in ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID"):
        yield bad(f"no {keyword}", with_changes(good(), **{keyword: None}))
    for keyword in ("instance", "study", "series"):
        yield path_uid(keyword)


CASES = tuple(cases())


def snapshot(server: ArchiveServer) -> tuple[int, list[str]]:
    """Instances the archive shows, and the objects lying outside of quarantine."""
    shown = Web(server.root).search("/instances", {"limit": "500"})
    files = sorted(
        str(path.relative_to(server.data))
        for path in server.data.rglob("*.dcm")
        if "quarantine" not in path.parts
    )
    return len(shown), files


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveServer]:
    """One archive for the whole file: it has to live through all of it."""
    server = ArchiveServer(tmp_path_factory.mktemp("bad-input"))
    with server.running():
        yield server


@pytest.fixture
def unharmed(archive: ArchiveServer) -> Iterator[ArchiveServer]:
    """The archive shows the same afterwards as before, takes good objects, and nothing escaped."""
    processes = {process.pid for process in archive.processes()}
    before = snapshot(archive)
    outside = {path for path in archive.folder.parent.rglob("*") if archive.data not in path.parents}
    yield archive
    assert snapshot(archive) == before
    assert {process.pid for process in archive.processes()} == processes, "a process died"
    assert {path for path in archive.folder.parent.rglob("*") if archive.data not in path.parents} == outside
    assert not list(Path("/tmp").glob("hilum-escape*"))  # noqa: S108 - where the forged paths point
    item = good()
    assert Client(archive.dimse_port).store([item]) == {item.instance: 0}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_c_store_refuses(case: Bad, unharmed: ArchiveServer) -> None:
    item = DicomObject(case.name, "", "", case.instance, case.sop_class, EXPLICIT_LE, case.dataset)
    (status,) = Client(unharmed.dimse_port).store([item]).values()
    # PS3.4 B.2.3: A9xx data set does not match SOP class, Cxxx cannot understand
    assert status & 0xF000 in {0xA000, 0xC000} or status in {0x0117, 0x0106}, hex(status)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_stow_refuses(case: Bad, unharmed: ArchiveServer) -> None:
    answer = Web(unharmed.root).store_bytes([case.file])
    assert 400 <= answer.status < 500, f"{answer.status} {answer.text}"
    assert not answer.stored
    if answer.status == 409:
        assert len(answer.failed) == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_good_one_beside_it_is_stored(case: Bad, archive: ArchiveServer) -> None:
    item = good()
    answer = Web(archive.root).store_bytes([case.file, item.part10()])
    assert answer.status == 202, f"{answer.status} {answer.text}"
    assert answer.stored == {item.instance}
    assert len(answer.failed) == 1


def test_import_goes_on_past_what_it_cannot_read(archive: ArchiveServer, tmp_path: Path) -> None:
    item = good()
    for number, case in enumerate(CASES):
        (tmp_path / f"{number}.dcm").write_bytes(case.file)
    (tmp_path / "good.dcm").write_bytes(item.part10())
    before, _ = snapshot(archive)
    done = archive.pacs("import", str(tmp_path))
    assert done.returncode == 1, done.stdout + done.stderr
    assert snapshot(archive)[0] == before + 1
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_without_preamble_is_understood_or_refused(archive: ArchiveServer) -> None:
    """Not Part 10, so a refusal is right; a guess that stores it whole would be right too."""
    item = good()
    answer = Web(archive.root).store_bytes([item.dataset])
    if answer.stored:
        assert Web(archive.root).objects(item.path())
    else:
        assert answer.status in {400, 409, 415}


@pytest.mark.parametrize("wire", ["C-STORE", "STOW-RS"])
def test_a_hundred_megabytes_of_garbage(wire: str, unharmed: ArchiveServer) -> None:
    garbage = os.urandom(1 << 20) * 100
    if wire == "C-STORE":
        item = DicomObject("garbage", "", "", "1.2.3.9", CTImageStorage, EXPLICIT_LE, garbage)
        (status,) = Client(unharmed.dimse_port).store([item]).values()
        assert status & 0xF000 in {0xA000, 0xC000}
    else:
        answer = Web(unharmed.root).store_bytes([garbage])
        assert answer.status in {400, 409}


def test_other_bytes_under_a_known_uid_lose_nothing(archive: ArchiveServer) -> None:
    """The default policy keeps both versions and shows the later (the former stays on disk)."""
    first = good()
    second = with_changes(first, PatientComments="corrected")
    client, web = Client(archive.dimse_port), Web(archive.root)
    assert client.store([first]) == {first.instance: 0}
    assert client.store([second])[first.instance] in {0, 0xB000, 0xB007, 0xB006}
    (study,) = web.search("/studies", {"StudyInstanceUID": first.study})
    assert int(value(study, "00201208")) == 1
    (part,) = web.objects(first.path())
    assert part.body.endswith(second.dataset)
    kept = [path.read_bytes() for path in archive.data.rglob("*") if path.is_file() and path.suffix != ".db"]
    assert any(content.endswith(first.dataset) for content in kept), "the former version is gone"


QIDO_CASES: tuple[tuple[str, str, set[int]], ...] = (
    ("an unknown key", "NoSuchThing=1", {200, 204, 400}),
    ("a date that is none", "StudyDate=20261399", {400}),
    ("a date in words", "StudyDate=yesterday", {400}),
    ("a negative limit", "limit=-1", {400}),
    ("a limit in words", "limit=ten", {400}),
    ("a negative offset", "offset=-5", {400}),
    ("an invalid UID", "StudyInstanceUID=1.2.3%2F..%2Fx", {400}),
    ("an unknown includefield", "includefield=NoSuchThing", {200, 204, 400}),
    ("a zero byte", "PatientID=%00", {200, 204, 400}),
    ("bytes that are not UTF-8", "PatientID=%FF%FE", {200, 204, 400}),
    ("a quote", "PatientID=%27%3B%20DROP%20TABLE%20instance%3B--", {200, 204}),
    ("a very long value", "PatientName=" + "x" * 4000, {200, 204, 400, 414}),
)


@pytest.mark.parametrize("case", QIDO_CASES, ids=lambda case: case[0])
def test_qido_answers_clearly(case: tuple[str, str, set[int]], unharmed: ArchiveServer) -> None:
    name, query, expected = case
    with Web(unharmed.root).open() as client:
        answer = client.get(f"{unharmed.root}/studies?{query}")
    assert answer.status_code in expected, f"{name}: {answer.status_code} {answer.text[:300]}"
    if answer.status_code == 400:
        assert len(answer.text) > 10, "a refusal says why"
    if "unknown" in name and answer.status_code != 400:
        assert "299" in answer.headers.get("warning", ""), "silently ignored"


@pytest.mark.parametrize(
    "path",
    [
        "/studies/..%2f..%2fetc", "/studies/1.2.3/series/../../x", "/studies/1.2.3/instances",
        "/studies/1.2/series/1.2/instances/1.2", "/studies/1.2/series/1.2/instances/1.2/frames/0",
        "/studies/%00", "/nothing", "/studies/" + "1" * 200,
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(path: str, unharmed: ArchiveServer) -> None:
    with Web(unharmed.root).open() as client:
        answer = client.get(unharmed.root + path)
    nothing = answer.status_code == 200 and answer.json() == []
    assert nothing or answer.status_code in {204, 400, 404, 406}, answer.text[:300]


FIND_CASES: tuple[tuple[str, dict[str, object]], ...] = (
    ("a date that is none", {"QueryRetrieveLevel": "STUDY", "StudyDate": "20261399"}),
    ("no level", {"PatientID": "*"}),
    ("an unknown level", {"QueryRetrieveLevel": "FRAME", "PatientID": "*"}),
)


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("case", FIND_CASES, ids=lambda case: case[0])
def test_c_find_answers_clearly(case: tuple[str, dict[str, object]], unharmed: ArchiveServer) -> None:
    keys = dict(case[1])
    level = str(keys.pop("QueryRetrieveLevel", ""))
    query = identifier(level, **keys)
    if not level:
        del query.QueryRetrieveLevel
    status, found = Client(unharmed.dimse_port).find(query)
    assert not found
    # PS3.4 C.4.1.1.4: A900 identifier does not match SOP class, Cxxx unable to process
    assert status == 0xA900 or status & 0xF000 == 0xC000, hex(status)


def test_c_find_with_an_unknown_key_still_answers(unharmed: ArchiveServer) -> None:
    query = identifier("STUDY", StudyInstanceUID="")
    query.add_new(0x00091010, "LO", "private")
    query.add_new(0x00090010, "LO", "NOBODY")
    status, _ = Client(unharmed.dimse_port).find(query)
    assert status == 0


RAW: dict[str, bytes] = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": os.urandom(4096),
    "a PDU of 4 GB": struct.pack(">BBI", 1, 0, 0xFFFFFFFF) + b"\0" * 1000,
    "P-DATA first": struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 2, 1, 3),
    "nothing": b"",
}


@pytest.mark.parametrize("name", RAW)
def test_other_traffic_on_the_dicom_port(name: str, unharmed: ArchiveServer) -> None:
    with socket.create_connection(("127.0.0.1", unharmed.dimse_port), timeout=10) as connection:
        connection.sendall(RAW[name])
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(40)
        while connection.recv(4096):
            pass
    assert unharmed.echo()


@pytest.mark.parametrize("polite", [True, False], ids=["A-ABORT", "lost connection"])
def test_an_association_that_ends_in_the_middle_of_an_object(polite: bool, unharmed: ArchiveServer) -> None:  # noqa: FBT001
    item = ct_series(1, rows=512, columns=512)[0]
    context = build_context(item.sop_class, item.transfer_syntax)
    with Client(unharmed.dimse_port).association([context]) as joined:
        for primitive in store_primitives(item, joined.accepted_contexts[0].context_id)[:8]:
            joined.dul.send_pdu(primitive)
        wait_for(lambda: spooled(unharmed))
        if polite:
            joined.abort()
        else:
            joined.dul.socket.socket.shutdown(socket.SHUT_RDWR)
            joined.join(10)
    wait_for(lambda: not spooled(unharmed))


def spooled(server: ArchiveServer) -> list[Path]:
    """Objects that are arriving, without the locks of the processes they arrive at."""
    found = (server.data / "spool").rglob("*")
    return [path for path in found if path.is_file() and not path.name.startswith(".")]


def store_primitives(item: DicomObject, context_id: int) -> list[P_DATA]:
    """One C-STORE request as the P-DATA primitives it is made of."""
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = item.sop_class
    request.AffectedSOPInstanceUID = item.instance
    request.Priority = 2
    request.DataSet = io.BytesIO(item.dataset)
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return list(message.encode_msg(context_id, 16384))
