"""What the pixels of a stored object are, from the index: no byte of the object is read for it."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, Final

import orjson

from pacs.dicom.attributes import tag_of
from pacs.dicom.json import BULK_BASE
from pacs.errors import NotAcceptable
from pacs.pixels.frames import PIXEL_DATA
from pacs.pixels.shape import FrameShape
from pacs.retrieve.selection import StoredObject

_KEPT: Final = 4096
_DATA: Final = f"{PIXEL_DATA:08X}"

Element = Mapping[str, Any]


class Shapes:
    """Remembers the shapes of the objects asked for last. Thread-safe."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], FrameShape] = OrderedDict()
        self._lock = Lock()

    def of(self, stored: StoredObject, document: Callable[[], bytes]) -> FrameShape:
        """`document` gives the object's DICOM JSON, when that is needed.

        Raises NotAcceptable for pixels that are no integers."""
        key = (stored.digest, stored.transfer_syntax)
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        shape = read(document())
        with self._lock:
            self._known[key] = shape
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return shape


def read(document: bytes) -> FrameShape:
    """From the DICOM JSON of an instance as the index keeps it; what is absent gets the value it mostly
    has. Raises NotAcceptable for Float and Double Float Pixel Data, and for no pixel data at all."""
    elements: dict[str, Element] = orjson.loads(document.replace(BULK_BASE, b""))
    if _DATA not in elements:
        raise NotAcceptable("only Pixel Data of integers is converted", hint="ask for transfer-syntax=*")

    def number(keyword: str, default: int) -> int:
        value = _first(elements, keyword)
        return int(value) if isinstance(value, int | float) else default

    allocated = number("BitsAllocated", 0)
    stored = number("BitsStored", allocated)
    return FrameShape(
        rows=number("Rows", 0),
        columns=number("Columns", 0),
        samples=number("SamplesPerPixel", 1),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=number("HighBit", stored - 1),
        signed=number("PixelRepresentation", 0) == 1,
        planar=number("PlanarConfiguration", 0),
        photometric=str(_first(elements, "PhotometricInterpretation") or ""),
    )


def _first(elements: Mapping[str, Element], keyword: str) -> Any:
    values = elements.get(f"{tag_of(keyword):08X}", {}).get("Value") or [None]
    return values[0]
