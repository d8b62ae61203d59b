"""An instance to be shown, and what is remembered of those that were shown last."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from pacs.dicom.json import BULK_BASE
from pacs.errors import NotAcceptable, NotFound
from pacs.index import entry as entries
from pacs.pixels import appearance
from pacs.pixels.appearance import Appearance
from pacs.pixels.frames import FrameTable
from pacs.pixels.viewport import Viewport
from pacs.retrieve import written
from pacs.retrieve.selection import StoredObject
from pacs.retrieve.view import View
from pacs.retrieve.written import Document, Report

Written = Document | Report | None


class Painter(Protocol):
    """Who opens objects and draws."""

    def draw(self, found: "Found", number: int, view: View) -> bytes: ...
    def move(self, found: "Found", numbers: tuple[int, ...], view: View) -> bytes: ...
    def item(self, stored: StoredObject) -> Any: ...


@dataclass(frozen=True, slots=True)
class Found:
    """An instance to be shown. `digest` is that of its bytes, `number` the frame that stands for it,
    counted from 1; 0 when it has none."""

    stored: StoredObject
    number: int
    look: Appearance
    _table: FrameTable | None
    _painter: Painter = field(repr=False)

    @property
    def digest(self) -> str:
        return self.stored.digest

    @property
    def named(self) -> int:
        """The frame that the object itself names as the one that stands for it (PS3.3 C.7.6.6); else 0."""
        return self.look.representative if self.look.representative <= self.stored.frames else 0

    @property
    def is_video(self) -> bool:
        """Whether its frames are one stream."""
        return self._table is not None and self._table.stream and self.stored.frames > 0

    def draw(self, view: View, number: int = 0) -> bytes:
        """Raises NotAcceptable when it cannot be shown, Invalid when nothing of it is wanted,
        Unavailable when its bytes are away."""
        return self._painter.draw(self, number or self.number, view)

    def move(self, view: View, numbers: tuple[int, ...]) -> bytes:
        """These frames, or all of them, one after the other. Raises as `draw` does."""
        return self._painter.move(self, numbers or tuple(range(1, self.stored.frames + 1)), view)

    def written(self) -> Written:
        """What can be read of an object that has no pixels. Raises NotFound."""
        return None if self.look.element else written.read(self._painter.item(self.stored))

    def thumbnail(self, edge: int) -> bytes:
        return self.draw(View(viewport=Viewport(edge, edge, enlarge=False)))

    def check(self, *numbers: int) -> None:
        """Raises NotAcceptable when there are no frames, NotFound when one of these is not among them."""
        if self.table.count and any(number > self.stored.frames for number in numbers):
            raise NotFound(f"this instance has {self.stored.frames} frames")

    @property
    def table(self) -> FrameTable:
        """Raises NotAcceptable."""
        if self._table is None or not self.stored.frames:
            why = "no frames that can be told apart" if self.look.element else "no pixels"
            raise NotAcceptable(f"this instance has {why}", hint="its /metadata and /bulkdata can be had")
        return self._table


class Known:
    """What was read of the last objects: those of thousands of frames take a while to read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[str, Appearance] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str, document: bytes) -> Appearance:
        with self._lock:
            known = self._found.get(digest)
        if known is None:
            known = appearance.read(parsed(document))
            with self._lock:
                self._found[digest] = known
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
        return known


def parsed(document: bytes) -> Any:
    """The stored JSON of an instance, with paths for its bulk data."""
    return orjson.loads(entries.expand(document).replace(BULK_BASE, b""))
