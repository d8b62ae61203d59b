"""A stored object on its way out in another transfer syntax, and the same in its own: one form for both."""

import mmap
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, Self

from pacs.dicom.header import Unreadable
from pacs.errors import NotAcceptable, NotFound, Unavailable
from pacs.pixels import part10, registry
from pacs.pixels.codec import Codec, version
from pacs.pixels.opened import lay_open
from pacs.pixels.pixeldata import Copied
from pacs.pixels.syntaxes import NATIVE
from pacs.pixels.transcode import Stored, Transcoding, plan
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject

if TYPE_CHECKING:
    from pacs.retrieve.deliver import ByteSource

_CHUNK: Final = 1 << 20


class Given(Protocol):
    """An object open for reading in the transfer syntax it goes out in. Use it in a `with` block."""

    transfer_syntax: str

    def size(self) -> int | None:
        """Bytes of the Part 10 file; None when only writing it tells."""

    def part10(self) -> Iterator[bytes]:
        """The whole file. Raises NotAcceptable when a frame behind the first cannot be converted."""

    def dataset(self, working: Callable[[], None]) -> Iterator[bytes]:
        """The data set alone. What can fail has failed before the first piece comes; `working` is
        called now and then until it does. Raises NotAcceptable, Unavailable."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class AsStored:
    """Byte for byte."""

    def __init__(self, source: "ByteSource", stored: StoredObject) -> None:
        self._source = source
        self._stored = stored
        self.transfer_syntax = stored.transfer_syntax

    def size(self) -> int | None:
        return self._stored.size

    def part10(self) -> Iterator[bytes]:
        return self._source.chunks()

    def dataset(self, working: Callable[[], None]) -> Iterator[bytes]:
        del working
        return self._source.chunks(self._stored.dataset_offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()


class Recoded:
    """Converted while it is read: one frame at a time is in memory. The first one has been converted,
    so that what cannot be done at all is known."""

    def __init__(self, source: "ByteSource", stored: StoredObject, made: Transcoding, scratch: Path) -> None:
        self._source = source
        self._stored = stored
        self._made = made
        self._scratch = scratch
        self.transfer_syntax = made.transfer_syntax

    def size(self) -> int | None:
        body = self._made.size()
        return None if body is None else len(self._prefix()) + body

    def part10(self) -> Iterator[bytes]:
        yield self._prefix()
        yield from self._made.chunks()

    def dataset(self, working: Callable[[], None]) -> Iterator[bytes]:
        one_frame = self._stored.frames <= 1 or isinstance(self._made.pixels, Copied)
        if one_frame and self._made.size() is not None:  # all has been converted, or measured
            return self._made.chunks()
        return self._spooled(working)

    def _spooled(self, working: Callable[[], None]) -> Iterator[bytes]:
        """By way of a file without a name. The frames have one of their own, for the offsets that are
        written before them."""
        try:
            with _nameless(self._scratch) as whole, _nameless(self._scratch) as frames:
                for piece in self._made.chunks(frames):
                    whole.write(piece)
                    working()
                whole.seek(0)
                while piece := whole.read(_CHUNK):
                    yield piece
        except OSError as error:
            raise Unavailable(
                f"an object cannot be converted now: {error.strerror}", hint="look at the data folder's disk"
            ) from error

    def _prefix(self) -> bytes:
        original = self._source.pread(0, self._stored.dataset_offset)
        return part10.with_syntax(original, self.transfer_syntax)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()


def recode(source: "ByteSource", stored: StoredObject, targets: Sequence[str], scratch: Path) -> Recoded:
    """In the first of the transfer syntaxes that this object can be written in. `source` shows it
    inflated and is taken over: closed here on failure. Raises NotAcceptable, NotFound."""
    try:
        return Recoded(source, stored, _planned(_opened(source, stored), targets), scratch)
    except BaseException:
        source.close()
        raise


@cache
def abilities() -> Abilities:
    """Of the codecs that are installed."""
    return Abilities(registry.decodable(), registry.encodable())


def makers(source: str, target: str) -> str:
    """What converted bytes depend on besides the stored ones: the libraries at work."""
    codecs: list[Codec] = []
    if source != target and source not in NATIVE:
        codecs += registry.decoders(source)[:1]
    if source != target and target not in NATIVE:
        codecs.append(registry.encoder(target))
    return ", ".join(f"{codec.engine} {version(codec)}" for codec in codecs)


def _opened(source: "ByteSource", stored: StoredObject) -> Stored:
    view = memoryview(mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ))
    try:
        return lay_open(view, source.pread, stored.transfer_syntax, stored.dataset_offset)
    except Unreadable as error:
        raise NotFound("the stored object can no longer be read", hint="run pacs check") from error


def _planned(opened: Stored, targets: Sequence[str]) -> Transcoding:
    refusals = []
    for target in targets:
        try:
            return plan(opened, target)
        except NotAcceptable as error:
            refusals.append(error)
    raise refusals[0] if refusals else NotAcceptable("no transfer syntax that is accepted can be written")


def _nameless(folder: Path) -> BinaryIO:
    return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600), "w+b")
