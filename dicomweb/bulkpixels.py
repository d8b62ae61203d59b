"""The pixel data of an instance as one value, where it is stored compressed (PS3.18 8.7.3.3).

Octets without a transfer syntax are Explicit VR Little Endian: decoded. Who takes any transfer syntax, or
names the stored one, gets the value as it lies in the object, items and all. A video is the stream itself,
since nothing here decodes it."""

from collections.abc import Iterator
from dataclasses import dataclass

from dicomweb import framing
from dicomweb.framing import Frames
from dicomweb.media import OCTET_STREAM, Offer
from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.retrieve import negotiate
from pacs.retrieve.bulk import BulkData
from pacs.retrieve.frameset import FrameSet
from pacs.retrieve.negotiate import Abilities


def offers(found: FrameSet, able: Abilities) -> tuple[Offer, ...]:
    """The preferred first, each by itself and as multipart."""
    stored = (found.transfer_syntax,)
    if found.stream:
        kinds = [(found.media_type, stored, True), (OCTET_STREAM, stored, True)]
    elif uids.EXPLICIT_LE in negotiate.obtainable(found.transfer_syntax, able):
        kinds = [(OCTET_STREAM, stored, False), (OCTET_STREAM, (uids.EXPLICIT_LE,), True)]
    else:
        kinds = [(OCTET_STREAM, stored, True)]
    return tuple(
        Offer(kind, multipart=several, transfer_syntaxes=syntaxes, default=default)
        for several in (False, True)
        for kind, syntaxes, default in kinds
    )


def given(found: FrameSet, offer: Offer, value: BulkData) -> "BulkData | Joined":
    """`value` is the pixel data as it lies in the object. Raises NotAcceptable."""
    if found.stream:
        return Joined(found, found.lengths())
    if offer.transfer_syntaxes[0] != uids.EXPLICIT_LE:
        return value
    frames, _ = framing.given(found, offer, 0)
    lengths = frames.lengths()
    if lengths is None:
        raise NotAcceptable("the size of the decoded frames is not known")
    return Joined(frames, lengths)


@dataclass(frozen=True, slots=True)
class Joined:
    """Frames one behind the other, to an even length (PS3.5 8.1.1). One is held at a time."""

    frames: Frames
    lengths: tuple[int, ...]

    @property
    def length(self) -> int:
        whole = sum(self.lengths)
        return whole + whole % 2

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        stop = self.length if length is None else min(self.length, offset + length)
        position = 0
        for number, size in zip(self.frames.numbers, self.lengths, strict=True):
            first, last = max(offset - position, 0), min(stop - position, size)
            if first < last:
                yield from self.frames.chunks(number, first, last - first)
            position += size
        if offset <= position < stop:
            yield b"\0"
