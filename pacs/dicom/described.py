"""A data set as text describes it (PS3.18 F, PS3.19 A.1), before it is encoded: the form that DICOM JSON
and the native XML are read into."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final

from pacs.dicom import attributes
from pacs.dicom.header import MAX_DEPTH

NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
BINARY: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
TEXT: Final = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
VRS: Final = TEXT | BINARY | NUMBERS.keys() | {"AT", "SQ"}


class Malformed(Exception):
    """This describes no data set. The message holds no value of it."""


@dataclass(slots=True)
class Described:
    """One data element: `values`, or `items` of a sequence, or `inline` bytes, or the address of its
    bulk data. A person name is text with its component groups joined by `=`; None is an empty value."""

    vr: str
    values: list[Any] = field(default_factory=list)
    items: "list[DataSet] | None" = None
    inline: bytes | None = None
    bulk: str = ""


DataSet = dict[int, Described]


def tag_of(text: Any) -> int:
    """Raises Malformed."""
    if not isinstance(text, str) or len(text) != 8 or not text.isascii() or not text.isalnum():
        raise Malformed("an attribute is not named by its tag, eight hexadecimal digits")
    try:
        return int(text, 16)
    except ValueError:
        raise Malformed("an attribute is not named by its tag, eight hexadecimal digits") from None


def vr_of(tag: int, said: Any) -> str:
    """The VR that is said; that of the dictionary where none is. Raises Malformed."""
    vr = attributes.vr_of(tag) if said is None or said == "" else said
    if vr not in VRS:
        raise Malformed(f"{attributes.keyword_of(tag)} has a VR that is none")
    return str(vr)


def check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Malformed(f"sequences are nested more than {MAX_DEPTH} deep")


def decoded(text: str) -> bytes:
    """InlineBinary (PS3.18 F.2.7). Raises Malformed."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("an InlineBinary is not base64") from None
