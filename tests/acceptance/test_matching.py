"""The table of PS3.4 C.2.2.2 over the real wires: C-FIND and QIDO-RS give the same answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context

from pacs.dicom.level import Level
from tests.contract.matching_cases import CASES, IDENTITY, REFUSED, Case, Refusal, objects, uid
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer
from tests.support.dimse_client import PATIENT_ROOT, STUDY_ROOT, Client
from tests.support.factory import as_object
from tests.support.postgres import PostgresServer
from tests.support.web_client import Web, value

RESOURCE = {Level.STUDY: "/studies", Level.SERIES: "/series", Level.IMAGE: "/instances"}
BINARY = {"US", "SS", "UL", "SL"}
PRIVATE_VR = {"00111001": "LO", "00111002": "US", "00111003": "LO"}
PRIVATE_CREATOR = "HILUM TEST"


@pytest.fixture(scope="module", params=[LAPTOP, CLUSTER], ids=str)
def archive(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[ArchiveServer]:
    """One archive that holds the table's objects."""
    url = postgres.fresh_url() if request.param is CLUSTER else ""
    folder: Path = tmp_path_factory.mktemp("matching")
    server = ArchiveServer(folder, request.param, index_url=url)
    with server.running():
        stored = Web(server.root).store([as_object(dataset) for dataset in objects()])
        assert stored.status == 200, stored.text
        yield server


def put(ds: Dataset, path: list[str], text: str) -> None:
    """One key, with its text exactly as written. Without a VR on the wire (Implicit VR), text of
    the type UT arrives as any other text would, and pydicom does not check it."""
    head, *rest = path
    tag = tag_for_keyword(head)
    tag = int(head, 16) if tag is None else tag
    vr = PRIVATE_VR.get(head) or dictionary_VR(tag)
    if rest:
        if tag not in ds:
            ds.add_new(tag, "SQ", [Dataset()])
        put(ds[tag].value[0], rest, text)
    elif vr == "SQ" and not text:
        ds.add_new(tag, "SQ", [])
    elif vr in BINARY:
        ds.add_new(tag, vr, int(text))
    else:
        ds.add_new(tag, vr if vr == "UI" or head in PRIVATE_VR else "UT", text)


def identifier_of(level: Level, keys: dict[str, str]) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.QueryRetrieveLevel = level.name
    setattr(ds, IDENTITY[level], "")
    for path, text in keys.items():
        put(ds, path.split("."), text)
    if PRIVATE_VR.keys() & keys.keys():
        ds.add_new(0x00110010, "LO", PRIVATE_CREATOR)
    return ds


def by_find(
    archive: ArchiveServer,
    level: Level,
    keys: dict[str, str],
    *,
    relational: bool = False,
    combined: bool = False,
) -> tuple[int, list[str]]:
    """Final status and identities found. Relational queries, and dates with their times as one moment,
    are announced as PS3.4 C.5.1.1 wants."""
    model = UID(PATIENT_ROOT if level is Level.PATIENT else STUDY_ROOT)
    extension = SOPClassExtendedNegotiation()
    extension.sop_class_uid = model
    extension.service_class_application_information = bytes([relational, combined, 0, 0, 0])
    syntax = ExplicitVRLittleEndian if PRIVATE_VR.keys() & keys.keys() else ImplicitVRLittleEndian
    client = Client(archive.dimse_port)
    found, final = [], -1
    with client.association([build_context(model, syntax)], [extension]) as association:
        for status, answer in association.send_c_find(identifier_of(level, keys), model):
            final = status.Status if "Status" in status else -1
            if answer is not None:
                found.append(str(answer.get(IDENTITY[level], "")))
    return final, found


def expected(case: Case) -> list[str]:
    return sorted(case.found if case.level is Level.PATIENT else map(uid, case.found))


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_c_find(case: Case, archive: ArchiveServer) -> None:
    status, found = by_find(
        archive, case.level, case.keys, relational=case.relational, combined=case.combined
    )
    assert status == 0x0000
    assert sorted(filter(None, found)) == expected(case)


def matches_each_alone(case: Case) -> bool:
    """A date range and a time range that are two conditions."""
    return {"StudyDate", "StudyTime"} <= case.keys.keys() and not case.combined


# QIDO-RS always matches a date and its time as one moment (PS3.18 8.3.4.2). Each case runs where it holds.
WEB_CASES = [case for case in CASES if case.level in RESOURCE and not matches_each_alone(case)]


@pytest.mark.parametrize("case", WEB_CASES, ids=lambda case: case.name)
def test_qido(case: Case, archive: ArchiveServer) -> None:
    answers = Web(archive.root).search(RESOURCE[case.level], case.keys)
    tag = f"{tag_for_keyword(IDENTITY[case.level]):08X}"
    assert sorted(value(answer, tag) for answer in answers) == expected(case)


@pytest.mark.filterwarnings("ignore:Invalid value for VR", "ignore:The value length")
@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: refusal.name)
def test_both_refuse(refusal: Refusal, archive: ArchiveServer) -> None:
    if refusal.path != "RequestAttributesSequence":  # as a sequence it cannot hold a text at all
        keys = {refusal.path: refusal.value}
        status, found = by_find(archive, refusal.level, keys, relational=True)
        assert not found
        assert status == 0xA900 or status & 0xF000 == 0xC000, hex(status)
    answer = Web(archive.root).get(RESOURCE[refusal.level], params={refusal.path: refusal.value})
    assert answer.status_code == 400, answer.text[:300]
    assert refusal.path in answer.text
