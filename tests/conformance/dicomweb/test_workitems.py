"""Worklist service over real HTTP (PS3.18 11.4 to 11.9, PS3.4 CC)."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.factory import fresh_uid
from tests.support.native import document, read
from tests.support.web_client import parts_of
from tests.support.workitems import Worklist, code, dataset, performed, step, tag, value

INCONSISTENT = "The submitted request is inconsistent with the state of the UPS Instance."


@pytest.fixture(scope="module")
def worklist(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worklist]:
    with running(Config(data=tmp_path_factory.mktemp("worklist"))) as url:
        yield Worklist(f"{url}/dicom-web")


@pytest.fixture
def uid(worklist: Worklist) -> str:
    return worklist.make()


def warned(answer: object) -> list[str]:
    """The texts of its Warning headers."""
    found = getattr(answer, "headers").get_list("warning")  # noqa: B009 - whatever client it came by
    assert all(text.startswith("299 ") for text in found), found
    return [text.split('"')[1] for text in found]


# -- create -------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["{uid}", "workitem={uid}", "AffectedSOPInstanceUID={uid}"])
def test_a_workitem_is_made_under_the_uid_of_the_query(worklist: Worklist, asked: str) -> None:
    uid = fresh_uid()
    answer = worklist.send("POST", "/workitems?" + asked.format(uid=uid), [step()])
    assert (answer.status_code, answer.content, warned(answer)) == (201, b"", [])
    assert answer.headers["location"] == f"{worklist.root}/workitems/{uid}"
    found = worklist.get(uid)
    assert value(found, "SOPInstanceUID") == uid
    assert value(found, "SOPClassUID") == "1.2.840.10008.5.1.4.34.6.1"
    assert value(found, "ProcedureStepState") == "SCHEDULED"
    assert value(found, "ScheduledProcedureStepModificationDateTime")
    again = worklist.send("POST", f"/workitems?{uid}", [step()])
    assert again.status_code == 409


def test_a_workitem_is_named_by_its_data_set_or_by_the_archive(worklist: Worklist) -> None:
    uid = fresh_uid()
    answer = worklist.send("POST", "/workitems", step(SOPInstanceUID=uid))
    assert answer.headers["location"].endswith(f"/workitems/{uid}")
    answer = worklist.send("POST", "/workitems", [step()])
    assert answer.status_code == 201
    assert value(worklist.get(answer.headers["location"].rpartition("/")[2]), "PatientID") == "SYN-1"
    other = worklist.send("POST", f"/workitems?{fresh_uid()}", [step(SOPInstanceUID=uid)])
    assert other.status_code == 400


def test_what_type_2_lacks_is_added_and_said(worklist: Worklist) -> None:
    made = step(WorklistLabel=None)
    del made[tag("AdmissionID")]
    uid = fresh_uid()
    answer = worklist.send("POST", f"/workitems?{uid}", [made])
    assert answer.status_code == 201
    assert warned(answer) == ["The Workitem was created with modifications."]
    found = worklist.get(uid)
    assert found[tag("AdmissionID")] == {"vr": "LO"}
    assert value(found, "WorklistLabel")


@pytest.mark.parametrize(
    "made",
    [
        step(ScheduledProcedureStepPriority=None),
        step(ProcedureStepLabel=None),
        step(InputReadinessState=None),
        step(InputReadinessState="PERHAPS"),
        step(ScheduledProcedureStepPriority="STAT"),
        step(ProcedureStepState="IN PROGRESS"),
        step(TransactionUID="1.2.3"),
        step(SOPClassUID="1.2.840.10008.5.1.4.34.6.2"),
        step(ProcedureStepProgressInformationSequence=dataset(ProcedureStepProgress="10")),
        step(ReferencedRequestSequence=dataset(AccessionNumber="A-1")),
        {"0010": {"vr": "PN"}},
        {"00100010": "Doe"},
        {"00100010": {"vr": "PN", "Value": ["Doe"]}},
        {"00100020": {"vr": "PN", "Value": [{"Alphabetic": "Doe"}]}},
        {"7FE00010": {"vr": "OW", "BulkDataURI": "http://127.0.0.1/x"}},
        {"00100020": {"vr": "LO", "Value": ["a\0b"]}},
        [],
        [step(), step()],
        "x",
        b"not json",
        b"[" * 5000,
    ],
    ids=range(21),
)
def test_a_workitem_that_is_none_is_refused(worklist: Worklist, made: object) -> None:
    sent = made if isinstance(made, bytes | list) else [made]
    answer = worklist.send("POST", f"/workitems?{fresh_uid()}", sent)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_other_payloads_are_refused(worklist: Worklist) -> None:
    kind = {"Content-Type": "application/dicom"}
    assert worklist.send("POST", "/workitems", b"x", headers=kind).status_code == 415
    assert worklist.send("POST", "/workitems", b" " * (1 << 21)).status_code == 413
    assert worklist.send("POST", "/workitems?x", [step()]).status_code in {400, 201}
    assert worklist.send("POST", "/workitems?workitem=x", [step()]).status_code == 400


# -- retrieve -----------------------------------------------------------------------------------


def test_the_transaction_uid_is_never_shown(worklist: Worklist, uid: str) -> None:
    assert worklist.to(uid, "IN PROGRESS", "2.25.77").status_code == 200
    answer = worklist.send("GET", f"/workitems/{uid}")
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.headers["content-location"] == f"{worklist.root}/workitems/{uid}"
    assert "2.25.77" not in answer.text
    assert "2.25.77" not in worklist.send("GET", "/workitems?includefield=all").text
    assert worklist.send("GET", f"/workitems?00081195=2.25.77&SOPInstanceUID={uid}").status_code == 204


XML = "application/dicom+xml"


def test_workitems_as_xml(worklist: Worklist, uid: str) -> None:
    """The same data sets: a part for each (PS3.18 11.5.3, 11.9.3), or one by itself."""
    said = worklist.get(uid)
    several = f'multipart/related; type="{XML}"'
    for path in (f"/workitems/{uid}", f"/workitems?SOPInstanceUID={uid}&includefield=all"):
        answer = worklist.send("GET", path, headers={"Accept": several})
        (part,) = parts_of(answer)
        assert part.headers["content-type"] == XML
        found = read(document(part.body))
        assert found.keys() == said.keys()
        assert found[tag("ProcedureStepLabel")]["Value"] == ["Segment the liver"]
        assert found[tag("PatientName")]["Value"] == [{"Alphabetic": "Doe^Jane"}]
        if "?" not in path:
            assert answer.headers["content-location"] == f"{worklist.root}{path}"
    alone = worklist.send("GET", f"/workitems/{uid}", headers={"Accept": XML})
    assert alone.headers["content-type"] == XML
    assert read(document(alone.content)) == found
    assert worklist.send("GET", "/workitems", headers={"Accept": XML}).status_code == 406
    nothing = worklist.send("GET", "/workitems?PatientID=nobody", headers={"Accept": several})
    assert (nothing.status_code, nothing.content) == (204, b"")


ROWS = "<NativeDicomModel><DicomAttribute tag='00280010'>{}</DicomAttribute></NativeDicomModel>"


def native(made: dict[str, object], folder: Path) -> bytes:
    """As DCMTK writes it."""
    file = folder / "step.dcm"
    described = Dataset.from_json(made)
    described.file_meta = FileMetaDataset()
    described.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    described.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.34.6.1")
    described.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
    described.save_as(file, enforce_file_format=True)
    command = ["dcm2xml", "--native-format", str(file)]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.peer("dcmtk")
def test_a_workitem_made_and_done_in_xml(worklist: Worklist, tmp_path: Path) -> None:
    made = step(
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Müller^Jürgen=山田^太郎",
        CommentsOnTheScheduledProcedureStep="a < b & c",
        ScheduledWorkitemCodeSequence=[code("1"), code("2")],
        NumberOfFrames=12,
        Rows=512,
        MaterialThickness=[0.5, -1e300],
        DiffusionBValue=0.1,
        ImageType=["A", None, "B"],
        LossyImageCompressionRatio=[1.5, 2],
        BurnedInAnnotation=None,
    )
    made[tag("PatientName")] = {
        "vr": "PN",
        "Value": [{"Alphabetic": "Müller^Jürgen", "Ideographic": "山田^太郎"}],
    }
    uids = fresh_uid(), fresh_uid()
    kind = {"Content-Type": XML}
    for uid, body, headers in ((uids[0], [made], {}), (uids[1], native(made, tmp_path), kind)):
        answer = worklist.send("POST", f"/workitems?{uid}", body, headers=headers)
        assert answer.status_code == 201, answer.text
    by_json, by_xml = (worklist.get(uid) for uid in uids)
    own = {tag(k) for k in ("SOPInstanceUID", "ScheduledProcedureStepModificationDateTime")}
    assert {k: v for k, v in by_xml.items() if k not in own} == {
        k: v for k, v in by_json.items() if k not in own
    }
    assert by_xml[tag("Rows")]["Value"] == [512]

    def say(method: str, path: str, **values: object) -> int:
        body = native(dataset(**values), tmp_path)
        return worklist.send(method, f"/workitems/{uids[1]}{path}", body, headers=kind).status_code

    claim = {"ProcedureStepState": "IN PROGRESS", "TransactionUID": "2.25.5"}
    assert say("PUT", "/state", **claim) == 200
    assert say("POST", "?2.25.5", WorklistLabel="Other") == 200
    assert value(worklist.get(uids[1]), "WorklistLabel") == "Other"
    reason = native(dataset(ReasonForCancellation="no"), tmp_path)
    path = f"/workitems/{uids[0]}/cancelrequest"
    assert worklist.send("POST", path, reason, headers=kind).status_code == 202
    told = worklist.get(uids[0])[tag("ProcedureStepProgressInformationSequence")]["Value"][0]
    assert value(told, "ReasonForCancellation") == "no"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not XML"),
        ("<", "not XML"),
        (ROWS.format("<Value>x</Value>"), "no number"),
        (ROWS.format("<Value>1_0</Value>"), "no number"),
        (ROWS.format("<Value>1.0</Value>"), "no number"),
        (ROWS.format("<Value>65536</Value>"), "no number"),
        (ROWS.format("<Value>-1</Value>"), "no number"),
        (ROWS.format("<Value>99999999999999999999999</Value>"), "no number"),
        (ROWS.format("<Value number='1000000'/>"), "too long"),
        (ROWS.format("<Value>1</Value><InlineBinary>AAAA</InlineBinary>"), "more than one kind"),
        ('<?xml version="1.0" encoding="foo"?><NativeDicomModel/>', "not XML"),
        ('<?xml version="1.0" encoding="gb2312"?><NativeDicomModel/>', "not XML"),
        ('<?xml version="1.0" encoding="base64"?><NativeDicomModel/>', "not XML"),
        (ROWS.replace("00280010", "00189087").format("<Value>nan</Value>"), "no number"),
        (ROWS.replace("00280010", "00189087").format("<Value>1e999</Value>"), "no number"),
        (ROWS.format("<BulkData/>"), "neither a uri nor a uuid"),
        (ROWS.format("<BulkData uuid='1'/>"), "refers to bulk data"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><NativeDicomModel/>", "document type"),
        ("<NativeDicomModel/>", "has to have a value"),
    ],
)
def test_xml_that_describes_no_workitem_is_refused(worklist: Worklist, text: str, why: str) -> None:
    answer = worklist.send("POST", "/workitems", text.encode(), headers={"Content-Type": XML})
    assert answer.status_code == 400
    assert why in answer.json()["detail"], answer.text


def test_what_is_not_there_is_not_found(worklist: Worklist) -> None:
    there = "/workitems/1.2.3.999"
    assert worklist.send("GET", there).status_code == 404
    assert worklist.send("POST", there, [dataset(WorklistLabel="x")]).status_code == 404
    assert worklist.to("1.2.3.999", "IN PROGRESS", "1.2").status_code == 404
    assert worklist.send("POST", f"{there}/cancelrequest").status_code == 404
    assert worklist.send("GET", "/workitems/x").status_code == 400
    assert worklist.send("GET", there, headers={"Accept": "text/html"}).status_code == 406


# -- update -------------------------------------------------------------------------------------


def test_attributes_are_changed(worklist: Worklist, uid: str) -> None:
    answer = worklist.send("POST", f"/workitems/{uid}", [dataset(WorklistLabel="Other")])
    assert (answer.status_code, warned(answer)) == (200, [])
    assert value(worklist.get(uid), "WorklistLabel") == "Other"
    moved = dataset(ScheduledProcedureStepModificationDateTime="19990101", InputReadinessState="INCOMPLETE")
    answer = worklist.send("POST", f"/workitems/{uid}", moved)
    assert warned(answer) == ["The Workitem was updated with modifications."]
    found = worklist.get(uid)
    assert value(found, "InputReadinessState") == "INCOMPLETE"
    assert value(found, "ScheduledProcedureStepModificationDateTime") > "2026"


def test_a_claimed_workitem_is_changed_by_its_performer_only(worklist: Worklist, uid: str) -> None:
    change = [dataset(WorklistLabel="Mine")]
    early = worklist.send("POST", f"/workitems/{uid}?transaction-uid=1.2", change)
    assert early.status_code == 409
    assert warned(early) == ["The target URI did not reference a claimed Workitem."]
    worklist.to(uid, "IN PROGRESS", "2.25.1")
    for asked, text in (
        ("", "The Transaction UID is missing."),
        ("?2.25.2", "The Transaction UID is incorrect."),
    ):
        answer = worklist.send("POST", f"/workitems/{uid}{asked}", change)
        assert (answer.status_code, warned(answer)) == (400, [text])
    for asked in ("?2.25.1", "?transaction-uid=2.25.1", "?transaction=2.25.1"):
        assert worklist.send("POST", f"/workitems/{uid}{asked}", change).status_code == 200
    inside = [change[0] | dataset(TransactionUID="2.25.1")]
    assert worklist.send("POST", f"/workitems/{uid}", inside).status_code == 200
    assert value(worklist.get(uid), "WorklistLabel") == "Mine"


@pytest.mark.parametrize(
    "change",
    [
        dataset(ProcedureStepState="COMPLETED"),
        dataset(PatientID="other"),
        dataset(SOPInstanceUID="1.2"),
        dataset(WorklistLabel=None),
        dataset(InputReadinessState="SOON"),
    ],
    ids=["state", "patient", "identity", "empty", "term"],
)
def test_what_may_not_be_changed_is_not(worklist: Worklist, uid: str, change: object) -> None:
    before = worklist.get(uid)
    assert worklist.send("POST", f"/workitems/{uid}", [change]).status_code == 400
    assert worklist.get(uid) == before


# -- state --------------------------------------------------------------------------------------


def test_from_scheduled_to_completed(worklist: Worklist, uid: str) -> None:
    t = "2.25.5"
    assert worklist.to(uid, "IN PROGRESS", t).status_code == 200
    early = worklist.to(uid, "COMPLETED", t)
    assert early.status_code == 409
    assert "UnifiedProcedureStepPerformedProcedureSequence" in early.json()["detail"]
    assert worklist.send("POST", f"/workitems/{uid}?{t}", [performed()]).status_code == 200
    done = worklist.to(uid, "COMPLETED", t)
    assert (done.status_code, done.content, warned(done)) == (200, b"", [])
    again = worklist.to(uid, "COMPLETED", t)
    assert again.status_code == 200
    assert warned(again) == ["The UPS is already in the requested state of COMPLETED."]
    late = worklist.send("POST", f"/workitems/{uid}?{t}", [dataset(WorklistLabel="late")])
    assert late.status_code == 400
    assert warned(late) == ["The submitted request is inconsistent with the current state of the Workitem."]


@pytest.mark.parametrize(
    "lacking", performed()[tag("UnifiedProcedureStepPerformedProcedureSequence")]["Value"][0]
)
def test_each_requirement_of_completed_is_held(worklist: Worklist, uid: str, lacking: str) -> None:
    """Table CC.2.5-3, final state code P."""
    worklist.to(uid, "IN PROGRESS", "2.25.5")
    short = performed()
    del short[tag("UnifiedProcedureStepPerformedProcedureSequence")]["Value"][0][lacking]
    assert worklist.send("POST", f"/workitems/{uid}?2.25.5", [short]).status_code == 200
    answer = worklist.to(uid, "COMPLETED", "2.25.5")
    assert (answer.status_code, warned(answer)) == (409, [INCONSISTENT])
    assert value(worklist.get(uid), "ProcedureStepState") == "IN PROGRESS"


def test_the_performer_cancels_with_or_without_saying_why(worklist: Worklist, uid: str) -> None:
    worklist.to(uid, "IN PROGRESS", "2.25.6")
    assert worklist.to(uid, "CANCELED", "2.25.6").status_code == 200
    again = worklist.to(uid, "CANCELED", "2.25.6")
    assert warned(again) == ["The UPS is already in the requested state of CANCELED."]
    (progress,) = worklist.get(uid)[tag("ProcedureStepProgressInformationSequence")]["Value"]
    assert value(progress, "ProcedureStepCancellationDateTime") > "2026"
    reason = value(progress, "ProcedureStepDiscontinuationReasonCodeSequence")
    assert value(reason, "CodeValue") == "110513"

    other = worklist.make()
    worklist.to(other, "IN PROGRESS", "2.25.6")
    why = dataset(
        ProcedureStepCancellationDateTime="20260105",
        ProcedureStepDiscontinuationReasonCodeSequence=code("OUT"),
    )
    progress = dataset(ProcedureStepProgressInformationSequence=why)
    assert worklist.send("POST", f"/workitems/{other}?2.25.6", [progress]).status_code == 200
    assert worklist.to(other, "CANCELED", "2.25.6").status_code == 200
    (said,) = worklist.get(other)[tag("ProcedureStepProgressInformationSequence")]["Value"]
    assert said == why


T, OTHER = "2.25.10", "2.25.11"
MISSING, WRONG = "The Transaction UID is missing.", "The Transaction UID is incorrect."


@pytest.mark.parametrize(
    ("state", "to", "transaction", "status", "warning"),
    [
        ("SCHEDULED", "IN PROGRESS", None, 400, MISSING),
        ("SCHEDULED", "COMPLETED", T, 409, INCONSISTENT),
        ("SCHEDULED", "CANCELED", T, 409, INCONSISTENT),
        ("SCHEDULED", "COMPLETED", None, 400, MISSING),
        ("IN PROGRESS", "IN PROGRESS", T, 409, INCONSISTENT),
        ("IN PROGRESS", "IN PROGRESS", OTHER, 409, INCONSISTENT),
        ("IN PROGRESS", "CANCELED", OTHER, 400, WRONG),
        ("IN PROGRESS", "COMPLETED", None, 400, MISSING),
        ("COMPLETED", "IN PROGRESS", T, 409, INCONSISTENT),
        ("COMPLETED", "CANCELED", T, 409, INCONSISTENT),
        ("COMPLETED", "COMPLETED", OTHER, 400, WRONG),
        ("CANCELED", "IN PROGRESS", T, 409, INCONSISTENT),
        ("CANCELED", "COMPLETED", T, 409, INCONSISTENT),
        ("CANCELED", "CANCELED", None, 400, MISSING),
    ],
)
def test_states_change_as_the_table_says(  # PS3.4 Table CC.1.1-2
    worklist: Worklist, uid: str, state: str, to: str, transaction: str | None, status: int, warning: str
) -> None:
    if state != "SCHEDULED":
        assert worklist.to(uid, "IN PROGRESS", T).status_code == 200
    if state == "COMPLETED":
        worklist.send("POST", f"/workitems/{uid}?{T}", [performed()])
    if state in {"COMPLETED", "CANCELED"}:
        assert worklist.to(uid, state, T).status_code == 200
    answer = worklist.to(uid, to, transaction)
    assert (answer.status_code, warned(answer)) == (status, [warning])
    assert value(worklist.get(uid), "ProcedureStepState") == state


@pytest.mark.parametrize("asked", ["SCHEDULED", "DONE", None])
def test_other_states_cannot_be_asked_for(worklist: Worklist, uid: str, asked: str) -> None:
    assert worklist.to(uid, asked, "1.2").status_code == 400


# -- cancel requests ----------------------------------------------------------------------------


def test_what_nobody_began_is_canceled_on_request(worklist: Worklist, uid: str) -> None:
    why = dataset(
        ReasonForCancellation="Wrong patient",
        ProcedureStepDiscontinuationReasonCodeSequence=code("WRONG"),
        ContactDisplayName="Desk",
    )
    assert worklist.send("POST", f"/workitems/{uid}/cancelrequest", [why]).status_code == 202
    found = worklist.get(uid)
    assert value(found, "ProcedureStepState") == "CANCELED"
    (progress,) = found[tag("ProcedureStepProgressInformationSequence")]["Value"]
    assert value(progress, "ReasonForCancellation") == "Wrong patient"
    again = worklist.send("POST", f"/workitems/{uid}/cancelrequest")
    assert again.status_code == 202
    assert warned(again) == ["The UPS is already in the requested state of CANCELED."]


def test_a_request_that_cannot_be_met_is_a_conflict(worklist: Worklist, uid: str) -> None:
    worklist.to(uid, "IN PROGRESS", T)
    alone = worklist.send("POST", f"/workitems/{uid}/cancelrequest")
    assert alone.status_code == 409, "nobody is subscribed, so nobody would hear of it"
    worklist.subscribe(uid)
    assert worklist.send("POST", f"/workitems/{uid}/cancelrequest").status_code == 202
    assert value(worklist.get(uid), "ProcedureStepState") == "IN PROGRESS"
    worklist.send("POST", f"/workitems/{uid}?{T}", [performed()])
    worklist.to(uid, "COMPLETED", T)
    assert worklist.send("POST", f"/workitems/{uid}/cancelrequest").status_code == 409


# -- search -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worklist, list[str]]]:
    with running(Config(data=tmp_path_factory.mktemp("searched"))) as url:
        worklist = Worklist(f"{url}/dicom-web")
        made = [
            worklist.make(
                ScheduledProcedureStepStartDateTime=f"202601{day:02}0800",
                ScheduledProcedureStepPriority="HIGH" if day == 3 else "LOW",
                ProcedureStepLabel=f"Step {day}",
                PatientID=f"P-{day}",
                PatientName=["Müller^Jürgen", "Doe^Jane", "Roe^Richard", "Doe^John"][day - 1],
                ScheduledStationNameCodeSequence=code(f"S{day % 2}"),
                ReferencedRequestSequence=dataset(StudyInstanceUID=f"1.2.{day}", AccessionNumber=f"A{day}"),
            )
            for day in range(1, 5)
        ]
        yield worklist, made


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (1, 2, 3, 4)),
        ({"PatientID": "P-2"}, (2,)),
        ({"00100020": "P-2"}, (2,)),
        ({"PatientName": "*doe*"}, (2, 4)),
        ({"PatientName": "muller*"}, (1,)),
        ({"ProcedureStepLabel": "Step ?"}, (1, 2, 3, 4)),
        ({"ScheduledProcedureStepPriority": "HIGH"}, (3,)),
        ({"ProcedureStepState": "SCHEDULED", "ScheduledProcedureStepPriority": "LOW"}, (1, 2, 4)),
        ({"ProcedureStepState": "CANCELED"}, ()),
        ({"ScheduledProcedureStepStartDateTime": "20260102-20260103"}, (2, 3)),
        ({"ScheduledProcedureStepStartDateTime": "20260103-"}, (3, 4)),
        ({"ScheduledProcedureStepStartDateTime": "-202601020759"}, (1,)),
        ({"ScheduledStationNameCodeSequence.CodeValue": "S1"}, (1, 3)),
        ({"ReferencedRequestSequence.AccessionNumber": "A4"}, (4,)),
        ({"0040A370.00080050": "A4"}, (4,)),
        ({"limit": "2"}, (1, 2)),
        ({"limit": "2", "offset": "3"}, (4,)),
        ({"offset": "9"}, ()),
        ({"limit": "0"}, ()),
    ],
    ids=str,
)
def test_workitems_are_found(
    searched: tuple[Worklist, list[str]], asked: dict[str, str], expected: tuple[int, ...]
) -> None:
    worklist, made = searched
    assert worklist.search(**asked) == [made[day - 1] for day in expected]


def test_what_a_search_answers(searched: tuple[Worklist, list[str]]) -> None:
    worklist, made = searched
    whole = worklist.send("GET", "/workitems", params={"PatientID": "P-1"})
    assert (whole.status_code, whole.headers["content-type"]) == (200, "application/dicom+json")
    (found,) = whole.json()
    assert {
        tag(k) for k in ("SOPInstanceUID", "ProcedureStepState", "PatientName", "AdmissionID")
    } <= found.keys()
    assert tag("CommentsOnTheScheduledProcedureStep") not in found
    more = worklist.send("GET", "/workitems?PatientID=P-1&includefield=CommentsOnTheScheduledProcedureStep")
    assert tag("CommentsOnTheScheduledProcedureStep") in more.json()[0]
    everything = worklist.send("GET", "/workitems?PatientID=P-1&includefield=all").json()[0]
    assert everything == worklist.get(made[0])

    part = worklist.send("GET", "/workitems?limit=3")
    assert part.status_code == 206
    assert warned(part)[0].startswith("The number of results exceeded")
    nothing = worklist.send("GET", "/workitems?PatientID=nobody")
    assert (nothing.status_code, nothing.content) == (204, b"")
    fuzzy = worklist.send("GET", "/workitems?fuzzymatching=true&PatientID=P-1")
    assert "Only literal matching" in warned(fuzzy)[0]
    for wrong in ("limit=x", "offset=-1", "ScheduledProcedureStepStartDateTime=soon", "NoSuchThing=1"):
        assert worklist.send("GET", f"/workitems?{wrong}").status_code == 400, wrong
    assert worklist.send("GET", "/workitems", headers={"Accept": "text/html"}).status_code == 406


# -- forgetting ---------------------------------------------------------------------------------


def test_what_has_ended_is_forgotten_unless_it_is_locked(tmp_path: Path) -> None:
    from pacs.runtime import open_archive
    from tests.conformance.dicomweb.conftest import serving

    archive = open_archive(Config(data=tmp_path / "data"))
    try:
        with serving(archive) as url:
            worklist = Worklist(f"{url}/dicom-web")
            ended, locked, open_ = (worklist.make() for _ in range(3))
            worklist.subscribe(locked, "KEEPER", deletionlock="true")
            for uid in (ended, locked):
                assert worklist.send("POST", f"/workitems/{uid}/cancelrequest").status_code == 202
            while archive.workitems.sweep(0.0):
                pass
            assert worklist.send("GET", f"/workitems/{ended}").status_code == 410
            assert worklist.to(ended, "IN PROGRESS", "1.2").status_code == 410
            assert worklist.send("POST", f"/workitems?{ended}", [step()]).status_code == 409
            assert worklist.search() == sorted([locked, open_])
            assert worklist.unsubscribe(locked, "KEEPER").status_code == 200
            while archive.workitems.sweep(0.0):
                pass
            assert worklist.search() == [open_]
    finally:
        archive.close()
