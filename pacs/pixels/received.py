"""The form an object was received in, when it is kept in another: noted in the File Meta Information of
the file at rest, and brought back from it byte for byte.

The note is JSON in (0002,0102), readable with any DICOM tool; docs/storage-layout.md describes it.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import orjson

from pacs.dicom import header
from pacs.dicom.header import Buffer, Unreadable
from pacs.errors import Conflict, Invalid, NotAcceptable
from pacs.pixels import part10
from pacs.pixels.frames import PIXEL_DATA, Read
from pacs.pixels.opened import lay_open
from pacs.pixels.transcode import Stored, Transcoding, plan

_FORMAT: Final = "hilum-received-1"
_PIXEL_VRS: Final = ("", "OB", "OW")


@dataclass(frozen=True, slots=True)
class Received:
    """The file that was received: `size` bytes, of which the SHA-256 of those behind `prefix` (the
    data set, in `transfer_syntax`) is `digest`. `pixel_vr` is what its pixel data was written with."""

    digest: str
    transfer_syntax: str
    size: int
    pixel_vr: str
    prefix: bytes

    def note(self) -> bytes:
        said = asdict(self) | {"prefix": base64.b64encode(self.prefix).decode(), "format": _FORMAT}
        return orjson.dumps(said)

    @classmethod
    def of(cls, prefix: bytes) -> Self | None:
        """What the file that begins with `prefix` says of an earlier form; None when it is as it was
        received. Raises Invalid for a note that cannot be understood."""
        note = part10.note_of(prefix)
        return None if note is None else cls._parse(note)

    @classmethod
    def _parse(cls, note: bytes) -> Self:
        try:
            said: dict[str, Any] = orjson.loads(note)
            prefix = base64.b64decode(said["prefix"], validate=True)
            known = said.pop("format") == _FORMAT and said["pixel_vr"] in _PIXEL_VRS
            received = cls(**said | {"prefix": prefix})
        except (ValueError, KeyError, TypeError) as error:
            raise _unclear() from error
        if not known:
            raise _unclear()
        return received


def of_file(buffer: Buffer) -> Received | None:
    """The same, told from the whole file. Raises Invalid."""
    try:
        end = header.read_meta(buffer).dataset_offset
    except Unreadable:
        return None
    return Received.of(bytes(buffer[:end]))


def opened(buffer: Buffer, read: Read) -> Stored:
    """A Part 10 file ready to be transcoded; `read` reads from the same bytes. Raises Unreadable."""
    meta = header.read_meta(buffer)
    return lay_open(buffer, read, meta.transfer_syntax, meta.dataset_offset)


def way_back(kept: Stored, received: Received) -> Transcoding:
    """Raises NotAcceptable."""
    return plan(kept, received.transfer_syntax, verify=False, pixel_vr=received.pixel_vr)


def bring_back(buffer: Buffer, read: Read, received: Received) -> Iterator[bytes]:
    """The file that was received, made of the one at rest. Raises Conflict, at the end at the latest,
    when that is not what comes out: what was yielded must be thrown away then."""
    digest = hashlib.sha256()
    try:
        chunks = way_back(opened(buffer, read), received).chunks()
        yield received.prefix
        for chunk in chunks:
            digest.update(chunk)
            yield chunk
    except (Unreadable, NotAcceptable) as error:
        raise _failed() from error
    if digest.hexdigest() != received.digest:
        raise _failed()


def pixel_vr(stored: Stored) -> str:
    """Of native pixel data; empty when it has none of its own."""
    pixels = stored.walk.dataset.elements.get(PIXEL_DATA)
    return "" if pixels is None or stored.walk.implicit else pixels.vr


def _unclear() -> Invalid:
    return Invalid("what this file says of the form it was received in cannot be read")


def _failed() -> Conflict:
    return Conflict("the form this object was received in does not come back", hint="run pacs check")
