"""DCMTK with its stranger options, as sender, receiver and caller: what it means is done, and what it
cannot have is said in its own words."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pynetdicom import build_context

from pacs.config import Peer as Known
from tests.conformance.dimse.conftest import House, Open, serving
from tests.support.dicom_object import DicomObject, dataset_of, part10_prefix
from tests.support.dimse_client import identifier, storescp, wait_for
from tests.support.factory import ct_series
from tests.support.pictures import read
from tests.support.ports import free_port
from tests.unit.dimse.fakes import CT, MOVE

pytestmark = pytest.mark.peer("dcmtk")

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("odd")) as house:
        yield house


def run(program: str, house: House, *options: str, files: Sequence[str] = ()) -> tuple[int, str]:
    """How it ended, and what it said."""
    words = [program, "-aec", "HILUM", *options, "127.0.0.1", str(house.port), *files]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def written(items: tuple[DicomObject, ...], folder: Path) -> list[str]:
    for number, item in enumerate(items):
        (folder / f"{number}.dcm").write_bytes(item.part10())
    return sorted(str(path) for path in folder.iterdir())


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("-xi", IMPLICIT),
        ("-xb", EXPLICIT),  # retired: Little Endian goes before it
        ("-xd", DEFLATED),
        ("-xs", EXPLICIT),
        ("-xy", EXPLICIT),
        ("-pdu 4096", EXPLICIT),
        ("--max-send-pdu 4096", EXPLICIT),
        ("--repeat 3", EXPLICIT),
        ("--abort", EXPLICIT),
    ],
)
def test_whatever_storescu_proposes_the_picture_is_kept(
    house: House, tmp_path: Path, options: str, kept: str
) -> None:
    (item,) = ct_series(1, rows=64, columns=64)
    code, said = run("storescu", house, *options.split(), files=written((item,), tmp_path))
    assert code == 0, said
    offered = [(CT, syntax) for syntax in (EXPLICIT, IMPLICIT, DEFLATED, BIG_ENDIAN)]
    final, got = house.client.get(identifier("STUDY", StudyInstanceUID=item.study), offered)
    assert (final.Status, set(got)) == (0, {item.instance})
    received = got[item.instance]
    assert received.transfer_syntax == kept
    file = part10_prefix(received.sop_class, received.instance, kept) + received.dataset
    assert (read(file).pixel_array == read(item.part10()).pixel_array).all()


@pytest.mark.parametrize("options", ["+II", "+IR 1", "+IS 1", "+IP 1"])
def test_what_storescu_invents_is_kept_under_the_names_that_it_invents(
    house: House, tmp_path: Path, options: str
) -> None:
    """Command and data set name the same object; that of the file never came."""
    items = ct_series(2, rows=8, columns=8)
    before = len(house.client.find(identifier("IMAGE", SOPInstanceUID=""))[1])
    studies_before = len(house.client.find(identifier("STUDY", StudyInstanceUID=""))[1])
    code, said = run("storescu", house, *options.split(), files=written(items, tmp_path))
    assert code == 0, said
    found = {one.SOPInstanceUID for one in house.client.find(identifier("IMAGE", SOPInstanceUID=""))[1]}
    assert len(found) == before + 2
    assert not found & {item.instance for item in items}
    assert len(house.client.find(identifier("STUDY", StudyInstanceUID=""))[1]) == studies_before + 1


def test_every_context_with_every_transfer_syntax(house: House) -> None:
    code, said = run("echoscu", house, "-v", "-ppc", "128", "-pts", "38")
    assert code == 0, said
    assert "Received Echo Response (Success)" in said


def test_a_caller_that_wants_tls_where_there_is_none(house: House) -> None:
    assert run("echoscu", house, "+tla", "-ic")[0] != 0
    assert run("echoscu", house)[0] == 0


def test_one_too_many_is_told_to_come_again(open_house: Open) -> None:
    house = open_house(max_associations=1)
    with house.client.association([build_context(MOVE)]):
        code, said = run("echoscu", house)
        assert code
        assert "Rejected Transient" in said
        assert "Local Limit Exceeded" in said
    wait_for(lambda: run("echoscu", house)[0] == 0)


@pytest.mark.parametrize("option", ["--abort-during", "--abort-after"])
def test_a_destination_that_aborts_at_every_object(open_house: Open, tmp_path: Path, option: str) -> None:
    """None gets through; each is tried, counted and listed, and the one who asked hears of the end."""
    items = ct_series(3, rows=64, columns=64)
    with storescp(tmp_path / "got", option) as destination:
        house = open_house(destination)
        assert set(house.client.store(items).values()) == {0}
        with house.client.association([build_context(MOVE)]) as association:
            keys = identifier("STUDY", StudyInstanceUID=items[0].study)
            *_, (final, missed) = association.send_c_move(keys, "DEST", MOVE)
    assert (final.Status, final.NumberOfFailedSuboperations) == (0xA702, 3)
    assert set(missed.FailedSOPInstanceUIDList) == {item.instance for item in items}


def test_objects_in_small_pieces(open_house: Open, tmp_path: Path) -> None:
    """A receiver of 4096 bytes, and a requestor of C-GET of as many."""
    items = ct_series(2, rows=64, columns=64)
    keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={items[0].study}"]
    with storescp(tmp_path / "moved", "-pdu", "4096") as destination:
        house = open_house(destination)
        assert set(house.client.store(items).values()) == {0}
        assert run("movescu", house, "-aem", "DEST", *keys)[0] == 0
    (tmp_path / "got").mkdir()
    assert run("getscu", house, "-B", "-pdu", "4096", *keys, "-od", str(tmp_path / "got"))[0] == 0
    for folder in ("moved", "got"):
        received = {dataset_of(path) for path in (tmp_path / folder).iterdir()}
        assert received == {item.dataset for item in items}, folder


@pytest.mark.parametrize("limit", [4096, 16_384])
def test_our_own_limit_is_kept_to(open_house: Open, tmp_path: Path, limit: int) -> None:
    (item,) = ct_series(1, rows=256, columns=256)
    house = open_house(max_pdu=limit)
    code, said = run("storescu", house, "-v", files=written((item,), tmp_path))
    assert code == 0, said
    assert f"Max Send PDV: {limit - 12}" in said


def test_our_own_order_of_transfer_syntaxes_decides(open_house: Open, tmp_path: Path) -> None:
    """One context of several, the first of which the sender could not write itself."""
    (item,) = ct_series(1, rows=8, columns=8)
    house = open_house(transfer_syntaxes=(EXPLICIT,))
    code, said = run("storescu", house, "-xs", "+C", files=written((item,), tmp_path))
    assert code == 0, said
    status, found = house.client.find(identifier("IMAGE", SOPInstanceUID=item.instance))
    assert (status, len(found)) == (0, 1)


def test_movescu_is_told_that_a_destination_is_not_known(open_house: Open) -> None:
    house = open_house(peers=(Known("AWAY", "127.0.0.1", free_port()),))
    (item,) = ct_series(1, rows=8, columns=8)
    house.client.store([item])
    keys = ["-S", "-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={item.study}"]
    assert "MoveDestinationUnknown" in run("movescu", house, "-aem", "NOWHERE", *keys)[1]
    assert "OutOfResourcesSubOperations" in run("movescu", house, "-aem", "AWAY", *keys)[1]
