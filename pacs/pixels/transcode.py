"""A stored object in another transfer syntax, written while it is read.

Nothing but one frame is held at a time. The SOP Instance UID stays: every conversion made here is
lossless, and decoding what was compressed with loss adds none to it (PS3.3 C.12.1.1.1, C.7.6.1.1.5).
"""

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from pacs.dicom import header, uids
from pacs.dicom.header import Element, Walk
from pacs.errors import NotAcceptable
from pacs.pixels import codestream, registry, rewrite
from pacs.pixels.frames import DOUBLE_FLOAT_PIXEL_DATA, FLOAT_PIXEL_DATA, PIXEL_DATA, FrameTable, Read
from pacs.pixels.layout import Strided
from pacs.pixels.pixeldata import Copied, Decoded, Encapsulated, Frames, PixelData
from pacs.pixels.rewrite import Piece, Rewriter, head
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import LOSSY, MAYBE_LOSSY, NAMES, NATIVE

_PHOTOMETRIC, _PLANAR, _FRAMES, _LOSSY = 0x00280004, 0x00280006, 0x00280008, 0x00282110
_ICON = 0x00880200
_OFFSET_TABLES = frozenset({0x7FE00001, 0x7FE00002})
_GROUP_LENGTHS = frozenset({0x00280000, 0x00880000, 0x7FE00000})
"""Of the groups that change; retired (PS3.5 7.2)."""
_PIXEL_ELEMENTS = (PIXEL_DATA, FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA)


@dataclass(frozen=True, slots=True)
class Stored:
    """The object to convert. `walk` has gone on behind encapsulated pixel data, `table` is that of
    its frames, and `read` reads from the bytes that were walked (inflated, when deflated)."""

    walk: Walk
    table: FrameTable | None
    read: Read
    transfer_syntax: str

    def native(self, pixels: Element) -> bool:
        """Whether the value holds native frames, whatever the transfer syntax says. Raises NotAcceptable."""
        if self.transfer_syntax in NATIVE and pixels.length is None:
            raise NotAcceptable("the pixel data is not what its transfer syntax says")
        return self.transfer_syntax in NATIVE if self.table is None else self.table.native


@dataclass(frozen=True, slots=True)
class Edit:
    """A value that the conversion changes."""

    vr: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Transcoding:
    """How one object becomes another; made by `plan`. `shape` describes the frames that come out;
    `edits` are by tag; `dropped` tags are left out."""

    transfer_syntax: str
    shape: FrameShape
    walk: Walk
    pixel_tag: int | None
    pixels: PixelData | None
    edits: Mapping[int, Edit]
    dropped: frozenset[int]

    def size(self) -> int | None:
        """Bytes of the data set; None when only writing it tells."""
        pixels = 0 if self.pixels is None else self.pixels.size()
        if pixels is None or self.transfer_syntax == uids.DEFLATED_LE:
            return None
        return pixels + sum(len(piece) for piece in self._elements(iter(())))

    def chunks(self, scratch: BinaryIO | None = None) -> Iterator[bytes]:
        """The data set. With `scratch`, a file to write to and read, several compressed frames get a
        table of their offsets; without, they are yielded as they are made and the table is empty.

        Raises NotAcceptable when a frame behind the first cannot be converted."""
        pixels: Iterator[Piece] = iter(()) if self.pixels is None else self.pixels.pieces(scratch)
        whole = (bytes(piece) for piece in self._elements(pixels) if len(piece))
        return _deflated(whole) if self.transfer_syntax == uids.DEFLATED_LE else whole

    def _elements(self, pixels: Iterator[Piece]) -> Iterator[Piece]:
        """Elements in the order of the source, edits in the place of their tags."""
        rewriter = Rewriter(self.walk, implicit=self._implicit)
        waiting = sorted(self.edits)
        for tag, element in self.walk.dataset.elements.items():
            while waiting and waiting[0] <= tag:
                yield self._edited(waiting.pop(0))
            if tag == self.pixel_tag:
                yield from pixels
            elif tag not in self.dropped and tag not in self.edits:
                yield from rewriter.element(element)
        for tag in waiting:
            yield self._edited(tag)

    @property
    def _implicit(self) -> bool:
        return self.transfer_syntax == uids.IMPLICIT_LE

    def _edited(self, tag: int) -> bytes:
        edit = self.edits[tag]
        return head(tag, edit.vr, len(edit.value), implicit=self._implicit) + edit.value


def plan(stored: Stored, target: str, *, verify: bool = True, pixel_vr: str = "") -> Transcoding:
    """How to write the object in `target`. Raises NotAcceptable.

    The first frame is converted here, so that what cannot be done is known before anything has
    been sent. `verify` decodes every frame again after encoding it and compares. `pixel_vr` is for
    pixel data that is decoded, where OB and OW are both right (PS3.5 A.2)."""
    if stored.transfer_syntax == target:
        raise ValueError("there is nothing to transcode")
    if target not in registry.encodable():
        raise NotAcceptable(f"{NAMES.get(target, target)} is not written here")
    elements, shape = stored.walk.dataset.elements, FrameShape.of(stored.walk)
    pixels = next((elements[tag] for tag in _PIXEL_ELEMENTS if tag in elements), None)
    if pixels is None:
        if target not in NATIVE:
            raise NotAcceptable("an object without pixel data is not compressed")
        return Transcoding(target, shape, stored.walk, None, None, {}, _dropped_icon(stored.walk))
    if stored.native(pixels) and target in NATIVE:
        return Transcoding(
            target,
            shape,
            stored.walk,
            pixels.tag,
            _copied(stored, pixels, target),
            {},
            _dropped_icon(stored.walk),
        )
    recoded = _recoded(stored, pixels, shape, target, verify=verify)
    if pixel_vr and isinstance(recoded.pixels, Decoded):
        return replace(recoded, pixels=replace(recoded.pixels, vr=pixel_vr))
    return recoded


def _copied(stored: Stored, pixels: Element, target: str) -> Copied:
    word = 1
    if stored.walk.big_endian:
        if stored.table is None or not isinstance(stored.table.layout, Strided):
            raise NotAcceptable("the pixels of this big endian object cannot be told apart")
        word = stored.table.layout.word
    # Pixel data of Implicit VR is OW, whatever it is called elsewhere (PS3.5 A.1).
    vr = "OW" if stored.walk.implicit and pixels.tag == PIXEL_DATA else pixels.vr
    implicit = target == uids.IMPLICIT_LE
    return Copied(pixels.tag, vr, pixels.offset, pixels.length or 0, word, stored.read, implicit)


def _recoded(stored: Stored, pixels: Element, shape: FrameShape, target: str, *, verify: bool) -> Transcoding:
    table = stored.table
    if table is None or table.stream or not table.count or not table.complete or pixels.tag != PIXEL_DATA:
        raise NotAcceptable("the frames of this object cannot be converted one by one")
    if table.count != max(1, header.integer(stored.walk, _FRAMES, 1)):
        raise NotAcceptable("the object does not hold as many frames as it says")
    source = uids.EXPLICIT_LE if table.native else stored.transfer_syntax
    frames = Frames(table, stored.read, shape, source, target, verify)
    first = frames.convert(0)
    data: PixelData = Encapsulated(frames, first)
    if target in NATIVE:
        data = Decoded(frames, first, target == uids.IMPLICIT_LE)
        data.size()  # more than a native value can be is refused now
    edits = _edits(stored, first.shape, lossy=_is_lossy(stored, table, source))
    dropped = _GROUP_LENGTHS | _OFFSET_TABLES | _dropped_icon(stored.walk)
    return Transcoding(target, first.shape, stored.walk, pixels.tag, data, edits, dropped)


def _edits(stored: Stored, shape: FrameShape, *, lossy: bool) -> dict[int, Edit]:
    """What differs from the data set as it stands."""
    wanted = {_PHOTOMETRIC: Edit("CS", _text(shape.photometric))}
    if shape.samples > 1:
        wanted[_PLANAR] = Edit("US", struct.pack("<H", shape.planar))
    if lossy:  # once lossy, always lossy (PS3.3 C.7.6.1.1.5)
        wanted[_LOSSY] = Edit("CS", b"01")
    elements, buffer = stored.walk.dataset.elements, stored.walk.buffer
    return {
        tag: edit for tag, edit in wanted.items() if header.value(buffer, elements.get(tag)) != edit.value
    }


def _is_lossy(stored: Stored, table: FrameTable, source: str) -> bool:
    if source not in MAYBE_LOSSY:
        return source in LOSSY
    stream = codestream.read(b"".join(stored.read(*piece) for piece in table.ranges(0)))
    return not stream.reversible


def _dropped_icon(walk: Walk) -> frozenset[int]:
    """A compressed icon is in the transfer syntax of the object (PS3.5 A.4): it does not outlive it."""
    icon = walk.dataset.elements.get(_ICON)
    return frozenset({_ICON}) if icon is not None and rewrite.holds_encapsulated(walk, icon) else frozenset()


def _text(value: str) -> bytes:
    return value.encode("ascii") + b" " * (len(value) % 2)


def _deflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """PS3.5 A.5: a raw deflate stream of even length."""
    deflater, size = zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in chunks:
        if piece := deflater.compress(chunk):
            size += len(piece)
            yield piece
    last = deflater.flush()
    yield last + bytes((size + len(last)) % 2)
