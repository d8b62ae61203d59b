"""JPEG-LS by CharLS, through imagecodecs (ISO 14495-1). Releases the GIL."""

import numpy as np

from pacs.errors import NotAcceptable
from pacs.pixels.codec import absent, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import JPEG_LS, JPEG_LS_FAMILY

_SOI, _APP8 = b"\xff\xd8", b"\xff\xe8"
_ROOM = 4096  # bytes for headers


class CharLS:
    engine = "CharLS"
    package = "imagecodecs"
    decodes = JPEG_LS_FAMILY
    encodes = frozenset({JPEG_LS})

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream, shape
        import imagecodecs

        with refusing(self, "decode"):
            return imagecodecs.jpegls_decode(data)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        """JPEG-LS knows no sign: the stream holds the bits of the cells (PS3.5 8.2.3)."""
        del syntax
        import imagecodecs

        if shape.bits_allocated not in {8, 16}:
            raise NotAcceptable(f"JPEG-LS has no samples of {shape.bits_allocated} bits")
        bits = np.ascontiguousarray(cells).view(f"<u{shape.bits_allocated // 8}")
        with refusing(self, "encode"):
            # Noise grows: without a size of its own the output has no room for it.
            return _bare(bytes(imagecodecs.jpegls_encode(bits, out=2 * bits.nbytes + _ROOM)))


def _bare(stream: bytes) -> bytes:
    """Without the SPIFF header, which belongs to files (ISO 14495-1 Annex F)."""
    begin = 2
    while stream[begin : begin + 2] == _APP8:
        begin += 2 + int.from_bytes(stream[begin + 2 : begin + 4], "big")
    return _SOI + stream[begin:]
