"""JPEG 2000 by OpenJPEG, in two packages: imagecodecs, which releases the GIL, and pylibjpeg-openjpeg,
which does not but reads HTJ2K as well and so is the second opinion on what OpenJPH wrote.
"""

import numpy as np

from pacs.errors import NotAcceptable
from pacs.pixels.codec import absent, refuse_encoding, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.colour import uses_transform
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import HTJ2K_FAMILY, JPEG_2000_LOSSLESS, JPEG_2000_PART_1

_EOC = b"\xff\xd9"


class OpenJPEG:
    """Of imagecodecs."""

    engine = "OpenJPEG"
    package = "imagecodecs"
    decodes = JPEG_2000_PART_1
    encodes = frozenset({JPEG_2000_LOSSLESS})

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream, shape
        import imagecodecs

        with refusing(self, "decode"):
            return imagecodecs.jpeg2k_decode(data, planar=False)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        """Precision is the whole cell: bits above Bits Stored survive, and leaving them out saves
        next to nothing."""
        del syntax
        import imagecodecs

        if shape.bits_allocated not in {8, 16}:  # OpenJPEG changes samples of 32 bits
            raise NotAcceptable(f"JPEG 2000 is not written for {shape.bits_allocated} bits allocated")
        with refusing(self, "encode"):
            return bytes(
                imagecodecs.jpeg2k_encode(
                    np.ascontiguousarray(cells),
                    codecformat="J2K",
                    planar=False,
                    reversible=True,
                    mct=uses_transform(shape),
                )
            )


class PylibjpegOpenJPEG:
    engine = "OpenJPEG"
    package = "pylibjpeg-openjpeg"
    decodes = JPEG_2000_PART_1 | HTJ2K_FAMILY
    encodes: frozenset[str] = frozenset()

    def missing(self) -> tuple[str, ...]:
        return absent("openjpeg")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream, shape
        from openjpeg.utils import decode

        whole = data.rstrip(b"\0")
        with refusing(self, "decode"):
            # a stream cut at the end of a tile-part has no EOC, and OpenJPEG wants one
            return decode(whole if whole.endswith(_EOC) else whole + _EOC)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        del cells, shape, syntax
        raise refuse_encoding(self)
