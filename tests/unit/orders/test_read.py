"""Orders as they are sent: what is made of them, and how each mistake is called."""

import json
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given as from_strategy
from hypothesis import settings
from hypothesis import strategies as st
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from pacs.errors import Invalid
from pacs.orders import item, read
from pacs.orders.fields import SECTIONS
from pacs.orders.model import Order
from pacs.orders.shown import shown
from tests.support import worklist

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = json.loads((REPOSITORY / "examples" / "order.json").read_text())


def altered(path: str, value: Any) -> Any:
    """The example with one thing changed; None takes it away."""
    order = deepcopy(EXAMPLE)
    *above, last = path.split(".")
    inside: Any = order
    for part in above:
        inside = inside[int(part)] if part.isdigit() else inside[part]
    if value is None:
        del inside[last]
    else:
        inside[last] = value
    return order


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("patient.id", None, "patient.id is missing"),
        ("patient.id", "", "patient.id is missing"),
        ("patient.id", "x" * 65, "patient.id is longer than 64 characters"),
        ("patient.id", 17, "patient.id must be text"),
        ("patient.id", ["a", "b"], "patient.id has 2 values"),
        ("patient.id", "a\\b", "patient.id holds a backslash"),
        ("patient.id", "a\x07b", "patient.id holds characters that cannot be printed"),
        ("patient.id", True, "patient.id is true or false"),
        ("patient.name", None, "patient.name is missing"),
        ("patient.name", "a=b=c=d", "patient.name has more than three component groups"),
        ("patient.name", "a^b^c^d^e^f", "patient.name must be a name of at most five components"),
        ("patient.birth_date", "1961-13-04", "patient.birth_date must be a date"),
        ("patient.birth_date", "4.3.1961", "patient.birth_date must be a date"),
        ("patient.weight", "heavy", "patient.weight must be a number"),
        ("patient.pregnancy", 70_000, "patient.pregnancy must be a whole number from 0 to 65535"),
        ("patient.age", "5", "patient.age is not a field"),
        ("patient", "Doe", "patient is a JSON object"),
        ("accession_number", "A" * 17, "accession_number is longer than 16"),
        ("study_uid", "1.2.x", "study_uid must be a UID"),
        ("urgent", "yes", "urgent is not a field"),
        ("steps", None, "steps holds 1 to 100 steps, not 0"),
        ("steps", {}, "steps is a list"),
        ("steps", ["a"], "steps is a list of JSON objects"),
        ("steps.0.station_aet", None, "steps[0].station_aet is missing"),
        ("steps.0.station_aet", "S" * 17, "steps[0].station_aet is longer than 16"),
        ("steps.0.station_aet", "CT\\1", "steps[0].station_aet must be an AE title"),
        ("steps.0.modality", None, "steps[0].modality is missing"),
        ("steps.0.modality", "ct", "steps[0].modality must be a code of capital letters"),
        ("steps.0.start", None, "steps[0].start_date is missing"),
        ("steps.0.start", "tomorrow", "steps[0].start is a date and a local time"),
        ("steps.0.start", "2026-11-21T10:30Z", "steps[0].start is a date and a local time"),
        ("steps.0.start", "2026-02-30T10:30", "steps[0].start_date must be a date"),
        ("steps.0.start", "2026-02-28T25:00", "steps[0].start_time must be a time"),
        ("steps.0.status", "COMPLETED", "steps[0].status must be one of ARRIVED"),
        ("steps.0.codes", {}, "steps[0].codes is a list of codes"),
        ("steps.0.codes", ["THX"], "steps[0].codes[0] is a code"),
        ("steps.0.codes", [{"value": "V" * 17}], "steps[0].codes[0].value is longer than 16"),
        ("steps.0.codes", [{"code": "V"}], "steps[0].codes[0].code is not a field"),
        ("steps.0.dicom", {"PatientWeight": {}}, "steps[0].dicom.PatientWeight is not a tag"),
        ("dicom.00101030", {"vr": "DS", "Value": ["x"]}, "dicom.PatientWeight must be a number"),
        ("dicom.00101030", 5, "dicom.PatientWeight is not an attribute"),
        ("dicom.00081110", {"vr": "SQ", "Value": [5]}, "dicom.ReferencedStudySequence is a sequence"),
        ("dicom.00081110", {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["x"]}}]},
         "dicom.ReferencedStudySequence[0].ReferencedSOPInstanceUID must be a UID"),
        ("procedure", {}, "procedure.description is missing"),
    ],
)  # fmt: skip
def test_each_mistake_is_called_by_its_field(path: str, value: Any, complaint: str) -> None:
    with pytest.raises(Invalid) as refused:
        read.from_json(altered(path, value))
    assert str(refused.value).startswith(complaint), str(refused.value)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"{", "the order is not JSON: line 1"),
        (b"[]", "an order is one JSON object"),
        (b'"x"', "an order is one JSON object"),
        (b" " * (read.MAX_BYTES + 1), "an order has at most"),
    ],
)
def test_what_is_no_order(raw: bytes, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        read.from_text(raw)


def test_values_are_never_quoted() -> None:
    """They may be a patient's."""
    for path in ("patient.id", "patient.name", "patient.birth_date", "accession_number"):
        with pytest.raises(Invalid) as refused:
            read.from_json(altered(path, "SECRET\x00" * 30))
        assert "SECRET" not in str(refused.value)


def test_two_steps_of_one_id() -> None:
    order = altered("steps.0.id", "S1")
    order["steps"] *= 2
    with pytest.raises(Invalid, match=r"steps\[1\].id is that of another step"):
        read.from_json(order)


def test_what_nobody_gave_is_given() -> None:
    order = altered("accession_number", None)
    del order["steps"][0]["description"], order["steps"][0]["codes"]
    made = read.from_json(order)
    again = read.from_json(order)
    (step,) = item.items(made, item.STEPS)
    assert item.text(made, "StudyInstanceUID") != item.text(again, "StudyInstanceUID")
    assert item.text(made, "RequestedProcedureID")
    assert item.text(step, "ScheduledProcedureStepID")
    assert item.text(step, "ScheduledProcedureStepStatus") == "SCHEDULED"
    assert item.text(step, "ScheduledProcedureStepDescription") == EXAMPLE["procedure"]["description"]
    assert item.text(read.from_json(EXAMPLE), "RequestedProcedureID") == EXAMPLE["accession_number"]


def order_of(dataset: Any) -> Order:
    steps = tuple(map(item.step_of, item.items(dataset, item.STEPS)))
    return Order(
        1, "ris", 1, 0, item.text(dataset, "StudyInstanceUID"), item.text(dataset, "AccessionNumber"),
        item.patient_of(dataset), "", "", item.procedure_of(dataset), steps, dataset=dataset,
    )  # fmt: skip


def given(shown_: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown, without what the archive adds."""
    return {
        k: v for k, v in shown_.items() if k not in {"number", "state", "placed", "placed_by", "performed"}
    }


def test_what_is_shown_can_be_given_again() -> None:
    made = read.from_json(EXAMPLE)
    said = given(shown(order_of(made)))
    assert read.from_text(orjson.dumps(said)) == made
    assert said["patient"]["allergies"] == ["Iodine"]
    assert said["patient"]["birth_date"] == "1961-03-04"


def worklist_item(**more: Any) -> Dataset:
    asked = worklist.keys(
        {
            "ScheduledStationAETitle": "CT1", "ScheduledProcedureStepStartDate": "20260705",
            "ScheduledProcedureStepStartTime": "1000", "Modality": "CT", "ScheduledProcedureStepID": "S1",
            "ScheduledProcedureStepDescription": "Thorax",
        },
        SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎", PatientID="P1",
        StudyInstanceUID="1.2.3", RequestedProcedureID="RP1", RequestedProcedureDescription="CT",
    )  # fmt: skip
    asked.update(worklist.dataset(**more))
    return asked


def part10(dataset: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
    meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    meta.TransferSyntaxUID = UID(syntax)
    dataset.file_meta = meta
    out = BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_worklist_item_as_a_file(syntax: str) -> None:
    made = read.from_file(part10(worklist_item(PatientWeight=70), syntax))
    assert item.text(made, "PatientName") == "Yamada^Tarou=山田^太郎"
    assert item.text(made, "StudyInstanceUID") == "1.2.3"
    assert item.values(made, "PatientWeight") == [70]
    (step,) = item.items(made, item.STEPS)
    assert item.texts(step, "ScheduledStationAETitle") == ("CT1",)


def test_a_worklist_item_in_dicom_json() -> None:
    made = read.from_json(EXAMPLE)
    assert read.from_dicom_json(orjson.dumps(made)) == made
    assert read.from_dicom_json(orjson.dumps([made])) == made
    with pytest.raises(Invalid, match="one JSON object"):
        read.from_dicom_json(orjson.dumps([made, made]))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda ds: delattr(ds, "PatientID"), "PatientID is missing"),
        (lambda ds: delattr(ds, item.STEPS), "ScheduledProcedureStepSequence holds 1 to 100 steps, not 0"),
        (lambda ds: delattr(ds.ScheduledProcedureStepSequence[0], "Modality"),
         r"ScheduledProcedureStepSequence\[0\].Modality is missing"),
        (lambda ds: ds.ScheduledProcedureStepSequence[0].add_new(0x00400009, "SH", "S" * 20),
         r"ScheduledProcedureStepSequence\[0\].ScheduledProcedureStepID is longer than 16"),
    ],
)  # fmt: skip
def test_mistakes_of_a_file_are_called_by_keyword(spoil: Callable[[Dataset], None], complaint: str) -> None:
    dataset = worklist_item()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spoil(dataset)
        raw = part10(dataset)
    with pytest.raises(Invalid, match=complaint):
        read.from_file(raw)


@pytest.mark.parametrize("raw", [b"", b"letter", b"\0" * 128 + b"DICM" + b"\0" * 40])
def test_a_file_that_is_none(raw: bytes) -> None:
    with pytest.raises(Invalid):
        read.from_file(raw)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_WHERE = {"": "", "patient": "patient.", "procedure": "procedure.", "steps": "steps.0."}
PLACES = [_WHERE[section] + field.name for section, fields in SECTIONS.items() for field in fields]


@pytest.mark.parametrize("place", ["patient", "procedure", "steps", "dicom", "steps.0.dicom", *PLACES])
@settings(max_examples=25, deadline=None)
@from_strategy(_json)
def test_anything_anywhere_is_taken_or_refused(place: str, value: Any) -> None:
    order = deepcopy(EXAMPLE)
    *above, last = place.split(".")
    inside: Any = order
    for part in above:
        inside = inside[int(part)] if part.isdigit() else inside[part]
    inside[last] = value
    try:
        made = read.from_json(order)
    except Invalid as refused:
        assert str(refused)
        return
    assert read.from_dicom_json(orjson.dumps(made)) == made
