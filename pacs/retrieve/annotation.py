"""The words that are burned into a picture: whose it is, and how it was taken (PS3.18 8.3.5.1.1)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pacs.dicom.attributes import tag_of
from pacs.retrieve.view import Annotation

Item = Mapping[str, Any]
_MEASURES: Final = (
    ("KVP", "", " kV"), ("XRayTubeCurrent", "", " mA"), ("ExposureTime", "", " ms"),
    ("RepetitionTime", "TR ", ""), ("EchoTime", "TE ", ""), ("SliceThickness", "", " mm"),
    ("SliceLocation", "at ", " mm"),
)  # fmt: skip
_PLACES: Final = (("Se", "SeriesNumber"), ("Im", "InstanceNumber"))
_LONGEST: Final = 64  # characters of a line


def corners(item: Item, wanted: Sequence[Annotation], number: int) -> tuple[list[str], list[str]]:
    """Lines for the upper left and the upper right corner, of frame `number` of a data set as DICOM JSON."""
    left = _patient(item) if Annotation.PATIENT in wanted else []
    right = _technique(item, number) if Annotation.TECHNIQUE in wanted else []
    return left, right


def _patient(item: Item) -> list[str]:
    born = _date(_text(item, "PatientBirthDate"))
    about = " ".join(filter(None, (born, _text(item, "PatientSex"), _text(item, "PatientAge"))))
    return _kept([_name(item) or "no name", _text(item, "PatientID") or "no ID", about])


def _technique(item: Item, number: int) -> list[str]:
    what = f"{_text(item, 'Modality')} {_text(item, 'StudyDescription')}"
    when = f"{_date(_text(item, 'StudyDate'))} {_time(_text(item, 'StudyTime'))}"
    place = [f"{word} {_text(item, keyword)}" for word, keyword in _PLACES if _text(item, keyword)]
    if _text(item, "NumberOfFrames") not in ("", "1"):
        place.append(f"Fr {number}")
    measures = [
        f"{before}{_short(_text(item, keyword))}{unit}"
        for keyword, before, unit in _MEASURES
        if _text(item, keyword)
    ]
    return _kept([what, when, _text(item, "SeriesDescription"), "  ".join(place), "  ".join(measures)])


def _kept(lines: Sequence[str]) -> list[str]:
    return [line.strip()[:_LONGEST] for line in lines if line.strip()]


def _text(item: Item, keyword: str) -> str:
    values = item.get(f"{tag_of(keyword):08X}", {}).get("Value") or [""]
    return "" if isinstance(values[0], dict) or values[0] is None else str(values[0])


def _name(item: Item) -> str:
    """Family name first, as lists of patients have it."""
    values = item.get(f"{tag_of('PatientName'):08X}", {}).get("Value") or [{}]
    family, _, rest = str((values[0] or {}).get("Alphabetic", "")).partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return f"{family}, {given}" if given else family


def _date(text: str) -> str:
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) == 8 and text.isdigit() else text


def _time(text: str) -> str:
    return f"{text[:2]}:{text[2:4]}" if text[:4].isdigit() and len(text) >= 4 else text


def _short(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text
