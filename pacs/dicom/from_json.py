"""The DICOM JSON Model (PS3.18 Annex F) read."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from pacs.dicom import attributes
from pacs.dicom.described import (
    GROUPS,
    DataSet,
    Described,
    Malformed,
    check_depth,
    decoded,
    tag_of,
    vr_of,
)

LARGEST: Final = 32 << 20  # bytes of one document
_MOST_NODES: Final = 3_000_000
"""Values, attributes and items in one document: what is read takes memory by their number."""


def documents(text: bytes) -> list[Any]:
    """The data sets of a document, not looked at yet: an array of them, or one. Raises Malformed."""
    if len(text) > LARGEST or sum(text.count(mark) for mark in b",[{") > _MOST_NODES:
        raise Malformed("the metadata is too long")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("the metadata is not JSON") from None
    return found if isinstance(found, list) else [found]


def data_set(document: Any, depth: int = 0) -> DataSet:
    """Raises Malformed."""
    check_depth(depth)
    if not isinstance(document, Mapping):
        raise Malformed("a data set in JSON is an object of attributes")
    return {tag: element(tag, value, depth) for tag, value in _tagged(document)}


def element(tag: int, value: Any, depth: int) -> Described:
    if not isinstance(value, Mapping):
        raise _bad(tag, "no object")
    found = Described(vr_of(tag, value.get("vr")))
    if len(value.keys() & {"Value", "InlineBinary", "BulkDataURI"}) > 1:
        raise _bad(tag, "more than one value")
    if "BulkDataURI" in value:
        found.bulk = _text(tag, value["BulkDataURI"])
        if not found.bulk:
            raise _bad(tag, "bulk data without an address")
    elif "InlineBinary" in value:
        found.inline = _inline(tag, value["InlineBinary"])
    elif (values := value.get("Value", [])) is not None:
        if not isinstance(values, list):
            raise _bad(tag, "a Value that is no array")
        if found.vr == "SQ":
            found.items = [data_set({} if item is None else item, depth + 1) for item in values]
        else:
            found.values = [_value(tag, found.vr, one) for one in values]
    return found


def _tagged(document: Mapping[Any, Any]) -> list[tuple[int, Any]]:
    return [(tag_of(name), value) for name, value in document.items()]


def _inline(tag: int, value: Any) -> bytes:
    """An array of one string is an older form of it."""
    return decoded(_text(tag, value[0] if isinstance(value, list) and len(value) == 1 else value))


def _value(tag: int, vr: str, value: Any) -> Any:
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    if vr == "PN" and isinstance(value, Mapping):
        groups = [_text(tag, value.get(group) or "") for group in GROUPS]
        return "=".join(groups).rstrip("=")
    raise _bad(tag, "a value of a wrong type")


def _text(tag: int, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(tag, "a value of a wrong type")
    return value


def _bad(tag: int, what: str) -> Malformed:
    return Malformed(f"{attributes.keyword_of(tag)} has {what}")
