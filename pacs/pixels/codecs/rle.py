"""RLE Lossless (PS3.5 Annex G): pylibjpeg-rle writes and reads, imagecodecs is the second opinion."""

import numpy as np

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels.codec import absent, refuse_encoding, refusing
from pacs.pixels.codestream import Stream
from pacs.pixels.samples import Cells, dimensions, dtype_of, to_native
from pacs.pixels.shape import FrameShape

_RLE = frozenset({uids.RLE})


class PylibjpegRLE:
    """Holds the GIL."""

    engine = "pylibjpeg-rle"
    package = "pylibjpeg-rle"
    decodes = _RLE
    encodes = _RLE

    def missing(self) -> tuple[str, ...]:
        return absent("rle")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream
        from rle.utils import decode_pixel_data

        with refusing(self, "decode"):
            planes = decode_pixel_data(
                data, version=2, rows=shape.rows, columns=shape.columns, bits_allocated=shape.bits_allocated
            )
        return by_pixel(bytes(planes), shape)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        del syntax
        from rle.utils import encode_pixel_data

        with refusing(self, "encode"):
            return bytes(
                encode_pixel_data(
                    to_native(cells),
                    byteorder="<",
                    rows=shape.rows,
                    columns=shape.columns,
                    samples_per_pixel=shape.samples,
                    bits_allocated=shape.bits_allocated,
                )
            )


class ImagecodecsRLE:
    engine = "imcd"
    package = "imagecodecs"
    decodes = _RLE
    encodes: frozenset[str] = frozenset()

    def missing(self) -> tuple[str, ...]:
        return absent("imagecodecs")

    def decode(self, data: bytes, stream: Stream | None, shape: FrameShape) -> Cells:
        del stream
        import imagecodecs

        with refusing(self, "decode"):
            planes = imagecodecs.dicomrle_decode(data, dtype_of(shape).newbyteorder("<"), out=shape.bytes)
        return by_pixel(bytes(planes), shape)

    def encode(self, cells: Cells, shape: FrameShape, syntax: str) -> bytes:
        del cells, shape, syntax
        raise refuse_encoding(self)


def by_pixel(planes: bytes, shape: FrameShape) -> Cells:
    """Segments decode to one plane behind the other."""
    if len(planes) != shape.bytes:
        raise NotAcceptable(f"an RLE frame of {shape.bytes} bytes decodes to {len(planes)}")
    flat = np.frombuffer(planes, dtype_of(shape))
    if shape.samples == 1:
        return flat.reshape(dimensions(shape))
    return flat.reshape(shape.samples, shape.rows, shape.columns).transpose(1, 2, 0)
