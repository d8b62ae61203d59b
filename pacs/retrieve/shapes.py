"""What the pixels of a stored object are, from the index: no byte of the object is read for it."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import orjson

from pacs.dicom.json import BULK_BASE
from pacs.errors import NotAcceptable
from pacs.pixels.frames import PIXEL_DATA
from pacs.pixels.shape import FrameShape
from pacs.retrieve.selection import StoredObject

_KEPT: Final = 4096
_DATA: Final = f"{PIXEL_DATA:08X}"


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
    elements = orjson.loads(document.replace(BULK_BASE, b""))
    if _DATA not in elements:
        raise NotAcceptable("only Pixel Data of integers is converted", hint="ask for transfer-syntax=*")
    return FrameShape.of_json(elements)
