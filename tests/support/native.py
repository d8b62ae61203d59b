"""A reader of the Native DICOM Model (PS3.19 A.1), independent of the archive."""

from typing import Any
from xml.etree.ElementTree import Element
from xml.etree.ElementTree import fromstring as parsed

SPACE = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"


def document(text: bytes) -> Element:
    return parsed(text)  # noqa: S314 - written by the archive itself


def read(model: Element) -> dict[str, Any]:
    """As DICOM JSON has it, private attributes by what they are called in the model."""
    return {one.get("tag", "") + (one.get("privateCreator") or ""): _element(one) for one in model}


def _element(one: Element) -> dict[str, Any]:
    found: dict[str, Any] = {"vr": one.get("vr")}
    for child in one:
        kind = child.tag.removeprefix(SPACE)
        if kind == "BulkData":
            found["BulkDataURI"] = child.get("uri")
        elif kind == "InlineBinary":
            found["InlineBinary"] = child.text
        else:
            values = found.setdefault("Value", [])
            values += [None] * (int(child.get("number", "0")) - 1 - len(values))
            values.append(_value(kind, child))
    return found


def _value(kind: str, child: Element) -> Any:
    if kind == "Item":
        return read(child)
    if kind == "PersonName":
        return {
            group.tag.removeprefix(SPACE): "^".join(
                group.findtext(SPACE + part) or ""
                for part in ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
            ).rstrip("^")
            for group in child
        }
    return child.text or ""
