"""Modality Performed Procedure Step (PS3.4 F.7), told by pynetdicom."""

import json
import socket
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from dimse.command import Command, Operation
from dimse.contexts import PERFORMED_STEP
from pacs.audit.record import trail
from pacs.config import Config
from pacs.dicom.attributes import tag_of
from pacs.orders import told as rows
from pacs.orders.model import Order
from pacs.runtime import Archive
from tests.support import worklist
from tests.support.factory import encode
from tests.support.worklist import begun, change, create, dataset, ended, order
from tests.unit.dimse.fakes import Peer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, int]]:
    with worklist.served(Config(data=tmp_path_factory.mktemp("mpps"))) as found:
        yield found


@pytest.fixture
def archive(served: tuple[Archive, int]) -> Archive:
    return served[0]


@pytest.fixture
def port(served: tuple[Archive, int]) -> int:
    return served[1]


@pytest.fixture
def uid() -> str:
    return str(generate_uid())


@pytest.fixture
def placed(archive: Archive) -> Order:
    accession = f"A{generate_uid()[-12:]}"
    return worklist.place(archive, order(accession=accession))[0]


def statuses(archive: Archive, number: int) -> tuple[list[str], list[str]]:
    """Of the order's steps, and of what was performed."""
    found = archive.orders.get(worklist.RIS, number)
    return [step.status.value for step in found.steps], [one.status.value for one in found.performed]


def test_from_begun_to_completed(archive: Archive, port: int, placed: Order, uid: str) -> None:
    assert create(port, uid, begun(placed)).Status == 0
    assert statuses(archive, placed.number) == (["STARTED"], ["IN PROGRESS"])
    assert change(port, uid, dataset(PerformedProcedureStepDescription="Thorax")).Status == 0
    assert statuses(archive, placed.number) == (["STARTED"], ["IN PROGRESS"])
    assert change(port, uid, ended()).Status == 0
    assert statuses(archive, placed.number) == (["COMPLETED"], ["COMPLETED"])
    rows = [row for row in trail(archive.db, study_uid=placed.study_uid) if row.action == "perform"]
    assert [(row.actor, row.patient_id, row.outcome) for row in rows] == [("CT1", "P1", "ok")] * 3
    assert rows[0].detail == f"set {uid} COMPLETED"


def test_creating_twice(port: int, uid: str) -> None:
    assert create(port, uid, begun()).Status == 0
    assert create(port, uid, begun()).Status == 0x0111


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED", "SCHEDULED"])
def test_it_begins_in_progress(port: int, uid: str, status: str) -> None:
    answer = create(port, uid, begun(PerformedProcedureStepStatus=status))
    assert answer.Status == 0x0106
    assert answer.ErrorComment == "PerformedProcedureStepStatus must be IN PROGRESS at first"
    assert change(port, uid, ended()).Status == 0x0112


@pytest.mark.parametrize("status", ["COMPLETED", "DISCONTINUED"])
def test_nothing_is_said_of_what_is_over(port: int, uid: str, status: str) -> None:
    create(port, uid, begun())
    assert change(port, uid, ended(status=status)).Status == 0
    for late in (ended(), dataset(PerformedProcedureStepStatus="IN PROGRESS"), dataset(StudyID="")):
        answer = change(port, uid, late)
        assert answer.Status == 0x0110
        assert answer.ErrorID == 0xA710
        assert answer.ErrorComment == "Performed Procedure Step Object may no longer be updated"


def test_no_such_step(port: int, uid: str) -> None:
    assert change(port, uid, ended()).Status == 0x0112


REQUIRED = [element.keyword for element in begun()]


@pytest.mark.parametrize("keyword", REQUIRED)
def test_what_must_be_there_at_first(port: int, uid: str, keyword: str) -> None:
    told = begun()
    delattr(told, keyword)
    answer = create(port, uid, told)
    assert answer.Status == 0x0120
    tag = tag_of(keyword)
    assert answer.ErrorComment == f"missing attribute ({tag >> 16:04X},{tag & 0xFFFF:04X})"
    assert change(port, uid, ended()).Status == 0x0112, "it was taken all the same"


@pytest.mark.parametrize(
    "keyword",
    [
        "PerformedProcedureStepID", "PerformedStationAETitle", "PerformedProcedureStepStartDate",
        "PerformedProcedureStepStartTime", "PerformedProcedureStepStatus", "Modality",
        "ScheduledStepAttributesSequence",
    ],
)  # fmt: skip
def test_what_must_have_a_value_at_first(port: int, uid: str, keyword: str) -> None:
    told = begun()
    setattr(told, keyword, [] if keyword.endswith("Sequence") else "")
    assert create(port, uid, told).Status == 0x0121


@pytest.mark.parametrize(
    ("keyword", "present", "status"),
    [
        ("StudyInstanceUID", False, 0x0120),
        ("StudyInstanceUID", True, 0x0121),
        ("AccessionNumber", False, 0x0120),
        ("ScheduledProcedureStepID", False, 0x0120),
        ("ScheduledProcedureStepID", True, 0),  # type 2
        ("ReferencedStudySequence", False, 0x0120),
    ],
)
def test_what_must_be_there_of_the_scheduled_step(
    port: int, uid: str, keyword: str, *, present: bool, status: int
) -> None:
    told = begun()
    delattr(told.ScheduledStepAttributesSequence[0], keyword)
    if present:
        setattr(told.ScheduledStepAttributesSequence[0], keyword, "")
    assert create(port, uid, told).Status == status


def without(told: Dataset, keyword: str) -> Dataset:
    delattr(told, keyword)
    return told


def no_series(told: Dataset) -> Dataset:
    told.PerformedSeriesSequence = []
    return told


def series_without(told: Dataset, keyword: str) -> Dataset:
    delattr(told.PerformedSeriesSequence[0], keyword)
    return told


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (without(ended(), "PerformedProcedureStepEndDate"), 0x0121),  # it was created empty
        (without(ended(), "PerformedProcedureStepEndTime"), 0x0121),
        (without(ended(), "PerformedSeriesSequence"), 0x0121),
        (no_series(ended()), 0x0121),
        (no_series(ended(status="DISCONTINUED")), 0),
        (series_without(ended(), "ProtocolName"), 0x0120),
        (series_without(ended(), "SeriesInstanceUID"), 0x0120),
        (series_without(ended(), "ReferencedImageSequence"), 0x0120),
        (ended(status="FINISHED"), 0x0106),
    ],
)
def test_what_must_be_there_in_the_end(port: int, uid: str, told: Dataset, status: int) -> None:
    create(port, uid, begun())
    assert change(port, uid, told).Status == status
    assert change(port, uid, ended()).Status == (0x0110 if status == 0 else 0), "it is open still"


def test_what_may_not_be_set_stays(archive: Archive, port: int, placed: Order, uid: str) -> None:
    create(port, uid, begun(placed))
    assert change(port, uid, dataset(PatientName=placed.patient.name)).Status == 0  # as it is
    answer = change(port, uid, ended(PatientID="P-other", PerformedStationAETitle="CT9"))
    assert answer.Status == 0x0107
    (performed,) = archive.orders.get(worklist.RIS, placed.number).performed
    assert (performed.status.value, performed.station) == ("COMPLETED", "CT1")


def test_unscheduled(archive: Archive, port: int, placed: Order, uid: str) -> None:
    told = begun(patient="EMERGENCY-1")
    assert create(port, uid, told).Status == 0
    assert change(port, uid, ended()).Status == 0
    assert statuses(archive, placed.number) == (["SCHEDULED"], [])


def test_the_order_is_found_by_its_accession_number(
    archive: Archive, port: int, placed: Order, uid: str
) -> None:
    """A modality that makes up Study Instance UIDs."""
    told = begun(placed)
    told.ScheduledStepAttributesSequence[0].StudyInstanceUID = generate_uid()
    assert create(port, uid, told).Status == 0
    assert statuses(archive, placed.number) == (["STARTED"], ["IN PROGRESS"])


@pytest.mark.parametrize("field", ["PatientID", "ScheduledProcedureStepID"])
def test_another_patient_or_step_is_not_linked(
    archive: Archive, port: int, placed: Order, uid: str, field: str
) -> None:
    """Accession numbers are used again."""
    told = begun(placed)
    if field == "PatientID":
        told.PatientID = "P-other"
    else:
        told.ScheduledStepAttributesSequence[0].ScheduledProcedureStepID = "OTHER"
    assert create(port, uid, told).Status == 0
    assert statuses(archive, placed.number) == (["SCHEDULED"], [])


def test_one_performed_for_two_orders(archive: Archive, port: int, uid: str) -> None:
    one, two = worklist.place(archive, order(accession="GROUP1"), order(accession="GROUP2"))
    told = begun(one)
    told.ScheduledStepAttributesSequence.append(begun(two).ScheduledStepAttributesSequence[0])
    assert create(port, uid, told).Status == 0
    assert change(port, uid, ended()).Status == 0
    for number in (one.number, two.number):
        assert statuses(archive, number) == (["COMPLETED"], ["COMPLETED"])


def test_two_performed_for_one_step(archive: Archive, port: int, placed: Order) -> None:
    first, second = generate_uid(), generate_uid()
    create(port, first, begun(placed))
    create(port, second, begun(placed))
    change(port, first, ended(status="DISCONTINUED"))
    assert statuses(archive, placed.number)[0] == ["STARTED"]
    change(port, second, ended())
    assert statuses(archive, placed.number) == (["COMPLETED"], ["DISCONTINUED", "COMPLETED"])


WRONG_ENTRY = dataset(
    CodeValue="110514", CodingSchemeDesignator="DCM", CodeMeaning="Incorrect worklist entry"
)


@pytest.mark.parametrize(("reasons", "after"), [([], "DISCONTINUED"), ([WRONG_ENTRY], "SCHEDULED")])
def test_discontinued(
    archive: Archive, port: int, placed: Order, uid: str, reasons: list[Dataset], after: str
) -> None:
    """Whoever picked the wrong entry gives it back to the worklist."""
    create(port, uid, begun(placed, PerformedProcedureStepDiscontinuationReasonCodeSequence=[]))
    told = ended(status="DISCONTINUED", PerformedProcedureStepDiscontinuationReasonCodeSequence=reasons)
    assert change(port, uid, told).Status == 0
    assert statuses(archive, placed.number) == ([after], ["DISCONTINUED"])


def test_an_order_that_was_cancelled_meanwhile(archive: Archive, port: int, placed: Order, uid: str) -> None:
    archive.orders.cancel(worklist.RIS, placed.number)
    assert create(port, uid, begun(placed)).Status == 0
    assert statuses(archive, placed.number) == (["CANCELLED"], ["IN PROGRESS"])


def test_text_of_both_messages_in_their_own_character_sets(
    archive: Archive, port: int, placed: Order, uid: str
) -> None:
    latin = begun(placed, SpecificCharacterSet="ISO_IR 100", PerformedLocation="Röntgen")
    assert create(port, uid, latin).Status == 0
    kanji = dataset(SpecificCharacterSet=["", "ISO 2022 IR 87"], PerformedProcedureStepDescription="胸部")
    assert change(port, uid, kanji).Status == 0
    with archive.db.read() as tx:
        row = rows.hold(tx, uid)
    kept = json.loads(row.attrs)
    assert kept["00400243"]["Value"] == ["Röntgen"]
    assert kept["00400254"]["Value"] == ["胸部"]


def raw(port: int, named: str, told: Dataset) -> Command:
    """N-CREATE; all that its response says, of which pynetdicom shows a part."""
    message = Command(
        Operation.N_CREATE, message_id=1, sop_class=PERFORMED_STEP, sop_instance=named, dataset_type=1
    )
    with Peer(socket.create_connection(("127.0.0.1", port), timeout=10)) as peer:
        peer.associate((PERFORMED_STEP, ExplicitVRLittleEndian))
        peer.request(1, message, encode(told))
        answer = peer.message()[0]
        peer.release()
    return answer


@pytest.mark.parametrize("named", ["", "not.a.uid", "1" * 65])
def test_it_is_named_by_a_uid(port: int, named: str) -> None:
    assert raw(port, named, begun()).status == 0x0117


def test_what_is_missing_is_listed(port: int, uid: str) -> None:
    lacking = without(without(begun(), "PatientName"), "Modality")
    answer = raw(port, uid, lacking)
    assert (answer.status, sorted(answer.attributes)) == (0x0120, [0x00080060, 0x00100010])
    assert (answer.sop_class, answer.sop_instance) == (PERFORMED_STEP, uid)


def test_a_uid_that_is_none_is_refused(port: int, uid: str) -> None:
    told = begun()
    told.ScheduledStepAttributesSequence[0].StudyInstanceUID = "1.2.3"
    create(port, uid, told)
    bad = ended()
    bad.PerformedSeriesSequence[0].add_new(0x0020000E, "LO", "no uid")
    assert change(port, uid, bad).Status == 0x0106
