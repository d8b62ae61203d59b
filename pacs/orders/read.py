"""An order as somebody sends it, JSON or a worklist item, becomes one whole worklist item.

Every refusal names what it is about as the sender calls it: `steps[0].modality` of a JSON order,
`ScheduledProcedureStepSequence[0].Modality` of a DICOM one.
"""

import secrets
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from pacs.dicom.attributes import tag_of
from pacs.errors import Invalid
from pacs.orders import item, values
from pacs.orders.fields import CODE, ORDER, PATIENT, PROCEDURE, SECTIONS, STEP, Field, Kind
from pacs.orders.model import TO_BE_SAID, DataSet

MAX_BYTES: Final = 1 << 20
_MOST_STEPS: Final = 100
_MOST_CODES: Final = 100
_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"

# (section of the JSON, keyword): what a modality cannot do without (PS3.4 Table K.6-1, type 1), beside
# the identifiers that can be given here.
_NEEDED: Final = (("patient", "PatientID"), ("patient", "PatientName"))
_NEEDED_OF_A_STEP: Final = (
    "ScheduledStationAETitle",
    "Modality",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
)

Name = Callable[[str, str, int], str]


def from_text(raw: bytes) -> DataSet:
    """JSON as docs/orders.md has it. Raises Invalid."""
    _small(raw)
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the order is not JSON: line {error.lineno}, column {error.colno}") from None
    return from_json(parsed)


def from_json(order: Any) -> DataSet:
    """The same, parsed. Raises Invalid."""
    if not isinstance(order, Mapping):
        raise Invalid("an order is one JSON object", hint="docs/orders.md shows one")
    _known(order, {f.name for f in ORDER} | {"patient", "procedure", "steps", "dicom"}, "")
    found = _fields(order, ORDER, "")
    for section, fields in (("patient", PATIENT), ("procedure", PROCEDURE)):
        inner = order.get(section) or {}
        if not isinstance(inner, Mapping):
            raise Invalid(f"{section} is a JSON object")
        _known(inner, {f.name for f in fields}, section)
        found |= _fields(inner, fields, section)
    steps = order.get("steps", [])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        raise Invalid("steps is a list of JSON objects")
    found[item.key(item.STEPS)] = {
        "vr": "SQ",
        "Value": [_step(s, f"steps[{n}]") for n, s in enumerate(steps)],
    }
    return _whole(_more(order, "dicom") | found, _json_name)


def from_file(raw: bytes) -> DataSet:
    """A worklist item as a Part 10 file. Raises Invalid."""
    _small(raw)
    return from_dataset(item.decode_file(raw))


def from_dicom_json(raw: bytes) -> DataSet:
    """A worklist item in the DICOM JSON Model, alone or in a list of one. Raises Invalid."""
    _small(raw)
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"the item is not JSON: line {error.lineno}, column {error.colno}") from None
    if isinstance(parsed, list) and len(parsed) == 1:
        parsed = parsed[0]
    if not isinstance(parsed, Mapping):
        raise Invalid("a worklist item is one JSON object", hint="send one order at a time")
    return from_dataset(parsed)


def from_dataset(dataset: Mapping[str, Any]) -> DataSet:
    """Raises Invalid."""
    return _whole(values.checked(dataset), _dicom_name)


def _small(raw: bytes) -> None:
    if len(raw) > MAX_BYTES:
        raise Invalid(f"an order has at most {MAX_BYTES} bytes")


def _known(given: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in given:
        if name not in names:
            raise Invalid(
                f"{where + '.' if where else ''}{name} is not a field of an order",
                hint="any other DICOM attribute is given by its tag under `dicom`",
            )


def _step(step: Mapping[str, Any], where: str) -> DataSet:
    _known(step, {f.name for f in STEP} | {"dicom", "start"}, where)
    if "start" in step:
        step = {**_moment(step["start"], f"{where}.start"), **step}
    return _more(step, f"{where}.dicom") | _fields(step, STEP, where)


def _moment(start: Any, where: str) -> dict[str, str]:
    """`2026-11-21T10:30`, in the hospital's own time."""
    day, _, time = str(start).replace(" ", "T").partition("T")
    if not time or "+" in time or time.endswith("Z"):
        raise Invalid(f"{where} is a date and a local time: 2026-11-21T10:30")
    return {"start_date": day, "start_time": time.replace(":", "")}


def _more(given: Mapping[str, Any], where: str) -> DataSet:
    more = given.get("dicom") or {}
    if not isinstance(more, Mapping):
        raise Invalid(f"{where} is a JSON object of attributes by their tags")
    return values.checked(more, where)


def _fields(given: Mapping[str, Any], fields: Iterable[Field], where: str) -> DataSet:
    found: DataSet = {}
    for field in fields:
        if field.name in given and given[field.name] is not None:
            name = f"{where}.{field.name}" if where else field.name
            found[item.key(field.keyword)] = _element(field, given[field.name], name)
    return found


def _element(field: Field, raw: Any, where: str) -> dict[str, Any]:
    if field.kind is Kind.CODES:
        return _codes(raw, where)
    if field.kind is Kind.DATE and isinstance(raw, str):
        raw = raw.replace("-", "")
    if isinstance(raw, Mapping):
        raise Invalid(f"{where} is one value, not an object")
    return values.element(tag_of(field.keyword), raw if isinstance(raw, list) else [raw], where)


def _codes(raw: Any, where: str) -> dict[str, Any]:
    if not isinstance(raw, list) or len(raw) > _MOST_CODES:
        raise Invalid(f"{where} is a list of codes")
    coded = []
    for number, code in enumerate(raw):
        here = f"{where}[{number}]"
        if not isinstance(code, Mapping):
            raise Invalid(f'{here} is a code: {{"value": ..., "scheme": ..., "meaning": ...}}')
        _known(code, {f.name for f in CODE}, here)
        coded.append(_fields(code, CODE, here))
    return {"vr": "SQ", "Value": coded} if coded else {"vr": "SQ"}


def _whole(dataset: DataSet, name: Name) -> DataSet:
    """With what can be given here, and nothing missing that a modality needs."""
    for section, keyword in _NEEDED:
        _need(dataset, keyword, name(section, keyword, 0))
    steps = item.items(dataset, item.STEPS)
    if not 0 < len(steps) <= _MOST_STEPS:
        raise Invalid(f"{name('', item.STEPS, 0)} holds 1 to {_MOST_STEPS} steps, not {len(steps)}")
    _identify(dataset)
    _described(dataset, "RequestedProcedure", "RequestedProcedureCodeSequence", name, 0)
    seen: set[str] = set()
    for number, step in enumerate(steps):
        _complete(step, dataset, number, name)
        if (known := item.text(step, "ScheduledProcedureStepID")) in seen:
            raise Invalid(f"{name('steps', 'ScheduledProcedureStepID', number)} is that of another step")
        seen.add(known)
    return dict(sorted(dataset.items()))


def _need(dataset: DataSet, keyword: str, where: str) -> None:
    if item.is_empty(dataset, keyword):
        raise Invalid(f"{where} is missing", hint="a modality cannot do without it")


def _identify(dataset: DataSet) -> None:
    if item.is_empty(dataset, "StudyInstanceUID"):
        item.put(dataset, "StudyInstanceUID", "UI", f"2.25.{uuid.uuid4().int}")
    if item.is_empty(dataset, "RequestedProcedureID"):
        given = item.text(dataset, "AccessionNumber") or _fresh("RP")
        item.put(dataset, "RequestedProcedureID", "SH", given)


def _complete(step: DataSet, dataset: DataSet, number: int, name: Name) -> None:
    for keyword in _NEEDED_OF_A_STEP:
        _need(step, keyword, name("steps", keyword, number))
    if item.is_empty(step, "ScheduledProcedureStepID"):
        item.put(step, "ScheduledProcedureStepID", "SH", _fresh("SP"))
    if item.is_empty(step, "ScheduledProcedureStepStatus"):
        item.put(step, "ScheduledProcedureStepStatus", "CS", "SCHEDULED")
    said = item.text(step, "ScheduledProcedureStepStatus")
    if said not in TO_BE_SAID:
        allowed = ", ".join(sorted(TO_BE_SAID))
        raise Invalid(f"{name('steps', 'ScheduledProcedureStepStatus', number)} must be one of {allowed}")
    if item.is_empty(step, "ScheduledProcedureStepDescription") and item.is_empty(
        step, "ScheduledProtocolCodeSequence"
    ):
        for to, source in (
            ("ScheduledProcedureStepDescription", "RequestedProcedureDescription"),
            ("ScheduledProtocolCodeSequence", "RequestedProcedureCodeSequence"),
        ):
            if not item.is_empty(dataset, source):
                step[item.key(to)] = dataset[item.key(source)]


def _described(dataset: DataSet, stem: str, codes: str, name: Name, number: int) -> None:
    """Type 1C: a description, or codes, or both."""
    if item.is_empty(dataset, f"{stem}Description") and item.is_empty(dataset, codes):
        raise Invalid(
            f"{name('procedure', f'{stem}Description', number)} is missing",
            hint="say what is to be done by a description, by codes, or by both",
        )


def _fresh(prefix: str) -> str:
    """An identifier that nobody gave; 12 letters that are not mistaken for each other (SH has 16)."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(10))


def _json_name(section: str, keyword: str, number: int) -> str:
    if keyword == item.STEPS:
        return "steps"
    known = next(field.name for field in SECTIONS[section] if field.keyword == keyword)
    return f"{section}[{number}].{known}" if section == "steps" else f"{section}.{known}"


def _dicom_name(section: str, keyword: str, number: int) -> str:
    return f"{item.STEPS}[{number}].{keyword}" if section == "steps" else keyword
