"""JPEG Lossless by liblj92, through imagecodecs: the second opinion on libjpeg-turbo."""

from pacs.pixels.codec import absent, refuse_encoding, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import JPEG_SOF3


class LibLJ92:
    engine = "liblj92"
    package = "imagecodecs"
    decodes = JPEG_SOF3
    encodes: frozenset[str] = frozenset()

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream, shape
        import imagecodecs

        with refusing(self, "decode"):
            return imagecodecs.ljpeg_decode(data)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        del cells, shape, syntax
        raise refuse_encoding(self)
