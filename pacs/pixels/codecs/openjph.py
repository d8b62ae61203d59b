"""HTJ2K by OpenJPH, through imagecodecs (ISO 15444-15). Releases the GIL."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pacs.errors import NotAcceptable
from pacs.pixels.codec import absent, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.colour import uses_transform
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_FAMILY, HTJ2K_LOSSLESS, HTJ2K_RPCL

_MARGIN = 8
"""Bits added to the precision while decoding what may leave its range; the range of 5 levels of
the 5/3 wavelet needs 2."""
_SIZ_COMPONENTS = 40  # position of Csiz in a code stream (ISO 15444-1 A.5.1)
_TILE_PARTS_BY_RESOLUTION = 1
_MIN_LEVELS, _MAX_LEVELS = 5, 32


class OpenJPH:
    engine = "OpenJPH"
    package = "imagecodecs"
    decodes = HTJ2K_FAMILY
    encodes = frozenset({HTJ2K_LOSSLESS, HTJ2K_RPCL})

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del shape
        if stream is None:
            raise NotAcceptable("this frame is no HTJ2K stream")
        return exact(self, data, stream) if stream.reversible else widened(self, data, stream, 0)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        """Progression RPCL, TLM and one tile-part a resolution: what PS3.5 10.18 asks of .202 serves
        .201 as well."""
        del syntax
        import imagecodecs

        if shape.bits_allocated not in {8, 16}:  # nothing else could read it back and prove it
            raise NotAcceptable(f"HTJ2K is not written for {shape.bits_allocated} bits allocated")
        with refusing(self, "encode"):
            return bytes(
                imagecodecs.htj2k_encode(
                    np.ascontiguousarray(cells),
                    rgb=uses_transform(shape),
                    planar=False,
                    resolutions=levels(shape.rows, shape.columns),
                    reversible=True,
                    tlm=True,
                    tilepart=_TILE_PARTS_BY_RESOLUTION,
                )
            )


def levels(rows: int, columns: int) -> int:
    """Decomposition levels that leave at most 64 in width or height (PS3.5 10.18), never fewer than five.

    Never none either: OpenJPH without decomposition has lost the smallest sample."""
    shorter = min(rows, columns)
    return min(_MAX_LEVELS, max(_MIN_LEVELS, math.ceil(math.log2(shorter / 64))))


def exact(codec: OpenJPH, data: bytes, stream: Stream) -> Cells:
    """Every sample of a reversible stream. Raises NotAcceptable.

    imagecodecs swallows errors amid the picture and leaves the rest of it 0. So the stream is read
    as if its samples had the other sign, which shifts them by half their range: 0 is then no longer
    what a picture is likely to have in a whole row. Where it has, it is read as it is, too.
    """
    shifted = _decode(codec, _restated(data, stream, signed=not stream.signed), stream, 0)
    if _has_empty_row(shifted) and _has_empty_row(_decode(codec, data, stream, 0)):
        raise NotAcceptable(f"{codec.engine} cannot decode this frame")
    bits = shifted.view(np.dtype(f"<u{shifted.itemsize}"))
    half = bits.dtype.type(1 << (stream.precision - 1))
    if stream.signed:
        bits -= half
        return bits.view(np.dtype(f"<i{shifted.itemsize}"))
    bits += half
    return bits


def widened(codec: OpenJPH, data: bytes, stream: Stream, skipped: int) -> NDArray[np.int32]:
    """Decode with `skipped` resolutions left out, values clamped to the precision of the stream.
    Raises NotAcceptable.

    OpenJPH wraps where it must clamp: reduced pictures and lossy ones leave the range of their
    precision, and a low value comes out high. The wavelet does not depend on the precision that
    SIZ states, only the shift at the very end does, so it is raised, and the clamp done here.
    """
    if stream.precision + _MARGIN > 24:
        raise NotAcceptable(f"{stream.precision} bits a sample are too many for a reduced or lossy picture")
    restated = _restated(data, stream, signed=False, margin=_MARGIN)
    raised = replace(stream, precision=stream.precision + _MARGIN)
    wide: NDArray[np.int32] = _decode(codec, restated, raised, skipped).astype(np.int32)
    if _has_empty_row(wide):  # half of the raised range below what any sample is
        raise NotAcceptable(f"{codec.engine} cannot decode this frame")
    wide -= 1 << (raised.precision - 1)
    if not stream.reversible:  # its samples are fractions of the whole range
        wide = (wide + (1 << (_MARGIN - 1))) >> _MARGIN
    half = 1 << (stream.precision - 1)
    np.clip(wide, -half, half - 1, out=wide)
    return wide if stream.signed else wide + half


def _restated(data: bytes, stream: Stream, *, signed: bool, margin: int = 0) -> bytes:
    """The stream with another sign and precision in its SIZ marker (Table A.11)."""
    restated = bytearray(data)
    for number in range(stream.components):
        at = stream.begin + _SIZ_COMPONENTS + 2 + 3 * number
        restated[at] = signed << 7 | (restated[at] & 0x7F) + margin
    return bytes(restated)


def _has_empty_row(cells: Cells) -> bool:
    """Whether the last row is 0 throughout in any component."""
    return bool((cells[-1] == 0).all(axis=0).any())


def _decode(codec: OpenJPH, data: bytes, stream: Stream, skipped: int) -> Cells:
    import imagecodecs

    with refusing(codec, "decode"):
        return imagecodecs.htj2k_decode(data[stream.begin :], planar=False, skipres=skipped or None)
