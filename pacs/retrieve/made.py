"""Frames that are not given as they are stored: in another transfer syntax, or smaller."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from pacs.dicom import uids
from pacs.errors import Invalid, NotAcceptable
from pacs.pixels import colour, convert, reduced, resolutions, samples, smaller
from pacs.pixels.resolutions import Begun
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_FAMILY, NATIVE
from pacs.retrieve.frameset import FrameSet

FACTORS: Final = {"1/1": 1, "1/2": 2, "1/4": 4, "1/8": 8}


@dataclass(frozen=True, slots=True)
class Look:
    """What the samples of a made frame are, as far as it differs from what the metadata says."""

    rows: int
    columns: int
    photometric: str


class MadeFrames:
    """Frames of `found`, each made when its turn comes; one is held at a time. Closes nothing."""

    def __init__(
        self,
        found: FrameSet,
        transfer_syntax: str,
        look: Look,
        size: int | None,
        make: Callable[[int], bytes],
    ) -> None:
        self.numbers = found.numbers
        self.transfer_syntax = transfer_syntax
        self.look = look
        self._size = size
        self._make = make
        self._last = (0, b"")

    def lengths(self) -> tuple[int, ...] | None:
        """Bytes of each frame; None when only making it tells and there are several."""
        if self._size is not None:
            return (self._size,) * len(self.numbers)
        return (len(self._made(self.numbers[0])),) if len(self.numbers) == 1 else None

    def chunks(self, number: int, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes of a frame. Raises NotAcceptable."""
        frame = self._made(number)
        yield frame[offset:] if length is None else frame[offset : offset + length]

    def _made(self, number: int) -> bytes:
        if self._last[0] != number:
            self._last = (0, b"")  # never two at once
            self._last = (number, self._make(number))
        return self._last[1]


def factor_of(resolution: str) -> int:
    """Of `1/8` and the like. Raises Invalid."""
    if resolution not in FACTORS:
        raise Invalid("there is no such resolution", hint=f"ask for one of {', '.join(FACTORS)}")
    return FACTORS[resolution]


def recoded(found: FrameSet, target: str) -> MadeFrames:
    """The frames in another transfer syntax, sample for sample. Raises NotAcceptable, here or when a
    frame is made."""
    if found.stream:
        raise NotAcceptable("the frames of a video are not given one by one")
    shape, source = found.shape, found.transfer_syntax
    delivered = replace(
        shape, photometric=shape.photometric if found.native else colour.delivered(source, shape)
    )
    native = target in NATIVE
    photometric = delivered.photometric if native else colour.encoded(target, delivered)

    def make(number: int) -> bytes:
        return convert.transcode_frame(found.read(number), shape, source, target).data

    look = Look(shape.rows, shape.columns, photometric)
    return MadeFrames(found, target, look, shape.bytes if native else None, make)


def small(found: FrameSet, factor: int) -> MadeFrames:
    """The samples at 1/`factor` of the size as Explicit VR Little Endian has them, colour by pixel.

    Of HTJ2K that tells where its resolutions end, no byte behind the one wanted is read; of all
    else the frame is decoded and its boxes of pixels averaged. Raises NotAcceptable."""
    if found.stream:
        raise NotAcceptable("the frames of a video are not given one by one")
    shape, source = found.shape, found.transfer_syntax
    halved = found.native and shape.photometric == "YBR_FULL_422" and found.length(1) < shape.bytes
    delivered = shape.photometric if found.native else colour.delivered(source, shape)
    rows, columns = smaller.sides(shape, factor)
    size = replace(shape, rows=rows, columns=columns).bytes

    def make(number: int) -> bytes:
        if shape.bits_allocated == 1 and found.native:
            return smaller.shrunk_bits(found.read(number), factor, shape)
        picture = _from_stream(found, number, factor, shape) if source in HTJ2K_FAMILY else None
        if picture is not None:
            return picture
        if halved:
            cells = smaller.full_422(found.read(number), shape)
            return samples.to_native(smaller.shrunk(cells, factor, shape))
        whole = convert.decode_frame(found.read(number), shape, source)
        return samples.to_native(smaller.shrunk(whole.cells, factor, whole.shape))

    look = Look(rows, columns, "YBR_FULL" if halved else delivered)
    return MadeFrames(found, uids.EXPLICIT_LE, look, size, make)


def cut(found: FrameSet, factor: int) -> MadeFrames:
    """The beginnings of the code streams that hold the frames at 1/`factor` of the size, byte for byte
    as they are stored. Decoders of HTJ2K take them as they are, those of JPEG 2000 mostly want the
    end marker FF D9 behind. Raises NotAcceptable, here or when a frame is made."""
    shape = found.shape

    def make(number: int) -> bytes:
        begun = _begun(found, number)
        end = begun.told.end_of(factor) if begun.told else None
        if end is None:
            raise NotAcceptable("the stored code stream does not tell where this resolution ends")
        return begun.upto(end)

    rows, columns = smaller.sides(shape, factor)
    return MadeFrames(found, found.transfer_syntax, Look(rows, columns, shape.photometric), None, make)


def _begun(found: FrameSet, number: int) -> Begun:
    return resolutions.begin(lambda at, count: found.read(number, at, count), found.length(number))


def _from_stream(found: FrameSet, number: int, factor: int, shape: FrameShape) -> bytes | None:
    """None when the stream is of no use for it: it does not tell, or its wavelet is not of the samples."""
    if factor == 1 or shape.photometric == smaller.PALETTE:
        return None
    begun = _begun(found, number)
    end = begun.told.end_of(factor) if begun.told else None
    if begun.told is None or end is None or begun.told.stream.signed != shape.signed:
        return None
    return samples.to_native(reduced.decode_reduced(begun.upto(end), factor, shape))
