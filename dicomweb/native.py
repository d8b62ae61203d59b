"""The Native DICOM Model (PS3.19 A.1), written from the DICOM JSON Model."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from pydicom.datadict import keyword_for_tag

XML: Final = "application/dicom+xml"
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE: Final = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# XML 1.0 has no way to write these (2.2); no VR of text admits them save LF, FF, CR and ESC (PS3.5 6.1.3).
_UNWRITABLE: Final = {code: None for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)} | {
    0xFFFE: None,
    0xFFFF: None,
    **dict.fromkeys(range(0xD800, 0xE000)),
}

DataSet = Mapping[str, Mapping[str, Any]]


def document(dataset: DataSet) -> bytes:
    """One data set as an XML document."""
    body = "".join(_attributes(dataset))
    root = f'<NativeDicomModel xml:space="preserve" xmlns="{_NAMESPACE}">'
    return f"{_HEAD}{root}{body}</NativeDicomModel>".encode()


def _attributes(dataset: DataSet) -> Iterator[str]:
    for tag in sorted(dataset):
        yield f"<DicomAttribute{_identity(tag, dataset)} vr={quoteattr(dataset[tag]['vr'])}"
        content = "".join(_content(dataset[tag]))
        yield f">{content}</DicomAttribute>" if content else "/>"


def _identity(tag: str, dataset: DataSet) -> str:
    """Of a private attribute its creator, and zeroes for the block that happened to be free."""
    number = int(tag, 16)
    creator = _creator(number, dataset)
    if creator:
        return f' tag="{tag[:4]}00{tag[6:]}" privateCreator={quoteattr(_plain(creator))}'
    keyword = keyword_for_tag(number)
    return f' tag="{tag}"' + (f' keyword="{keyword}"' if keyword else "")


def _creator(number: int, dataset: DataSet) -> str:
    group, element = number >> 16, number & 0xFFFF
    if group % 2 == 0 or element < 0x1000:
        return ""
    values = dataset.get(f"{group:04X}{element >> 8:04X}", {}).get("Value") or [""]
    return str(values[0] or "")


def _content(element: Mapping[str, Any]) -> Iterator[str]:
    if "BulkDataURI" in element:
        yield f"<BulkData uri={quoteattr(element['BulkDataURI'])}/>"
    elif "InlineBinary" in element:
        yield f"<InlineBinary>{escape(element['InlineBinary'])}</InlineBinary>"
    for number, value in enumerate(element.get("Value", ()), 1):
        if element["vr"] == "SQ":
            yield f'<Item number="{number}">{"".join(_attributes(value or {}))}</Item>'
        elif element["vr"] == "PN":
            yield f'<PersonName number="{number}">{_name(value or {})}</PersonName>'
        elif value is not None:  # an empty one of several is known by the number that is missing
            yield f'<Value number="{number}">{_text(value)}</Value>'


def _name(groups: Mapping[str, str]) -> str:
    return "".join(
        f"<{group}>{_components(groups[group])}</{group}>" for group in _GROUPS if groups.get(group)
    )


def _components(group: str) -> str:
    parts = zip(_COMPONENTS, group.split("^", 4), strict=False)
    return "".join(f"<{name}>{_text(part)}</{name}>" for name, part in parts if part)


def _text(value: object) -> str:
    """A reader of XML takes a carriage return for a line's end unless it is written so (XML 1.0, 2.11)."""
    return escape(_plain(value), {"\r": "&#13;"})


def _plain(value: object) -> str:
    return str(value).translate(_UNWRITABLE)
