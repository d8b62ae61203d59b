"""JPEG by libjpeg-turbo, through imagecodecs: 8 and 12 bits with loss, 2 to 16 without. Releases the GIL."""

from pacs.errors import NotAcceptable
from pacs.pixels.codec import absent, refuse_encoding, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.colour import is_ycc
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import JPEG_DCT, JPEG_SOF3


class LibjpegTurbo:
    engine = "libjpeg-turbo"
    package = "imagecodecs"
    decodes = JPEG_DCT | JPEG_SOF3
    encodes: frozenset[str] = frozenset()

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        import imagecodecs

        if stream is None:
            raise NotAcceptable("this frame is no JPEG stream")
        held = wanted = None
        if stream.components == 3:
            held, wanted = "YCBCR" if not stream.lossless and is_ycc(stream, shape) else "RGB", "RGB"
        with refusing(self, "decode"):
            return imagecodecs.jpeg8_decode(data, colorspace=held, outcolorspace=wanted)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        del cells, shape, syntax
        raise refuse_encoding(self)
