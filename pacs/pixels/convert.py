"""One frame from one transfer syntax to another, sample for sample."""

from dataclasses import dataclass, replace

import numpy as np

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels import codestream, colour, registry, samples
from pacs.pixels.codec import Codec
from pacs.pixels.codestream import Stream
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import JPEG_DCT, NAMES, NATIVE

_END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_PADDING = 16  # bytes behind it that are put up with; one is needed for even length
_ENCODABLE = frozenset({"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL"})


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame: exact cells, and the shape they have now (colour by pixel, the photometric
    interpretation that was delivered)."""

    cells: Cells
    shape: FrameShape


@dataclass(frozen=True, slots=True)
class Converted:
    """A frame in its new transfer syntax, and what its data set has to say of it."""

    data: bytes
    shape: FrameShape


def decode_frame(data: bytes, shape: FrameShape, syntax: str) -> Picture:
    """Samples of a stored frame; native ones are little endian. Raises NotAcceptable.

    One decoder decides: another one that is content with a damaged frame would invent samples."""
    if syntax in NATIVE:
        return Picture(samples.from_native(data, shape), replace(shape, planar=0))
    return decode_with(registry.decoders(syntax)[0], data, shape, syntax)


def decode_with(codec: Codec, data: bytes, shape: FrameShape, syntax: str) -> Picture:
    """By this codec and no other. Raises NotAcceptable."""
    samples.dimensions(shape)
    stream = None if syntax == uids.RLE else checked(data, shape, syntax)
    decoded = codec.decode(data, stream, shape)
    precision, signed = (
        (shape.bits_allocated, shape.signed) if stream is None else (stream.precision, stream.signed)
    )
    cells = samples.fit(decoded, shape, precision=precision, signed=signed)
    return Picture(cells, replace(shape, planar=0, photometric=colour.delivered(syntax, shape)))


def encode_frame(picture: Picture, syntax: str, *, verify: bool = True) -> Converted:
    """Every bit of every cell, or NotAcceptable.

    `verify` decodes what was made with the same library and compares; `prove` is what an original
    may be let go on."""
    shape, cells = picture.shape, picture.cells
    if syntax in NATIVE:
        return Converted(samples.to_native(cells), shape)
    if shape.photometric not in _ENCODABLE:
        raise NotAcceptable(f"{shape.photometric or 'a frame of no known colours'} is not encoded")
    codec = registry.encoder(syntax)
    data = codec.encode(cells, shape, syntax)
    made = Converted(data, replace(shape, photometric=colour.encoded(syntax, shape)))
    if verify and not _same(codec, made, cells, syntax):
        raise NotAcceptable(f"{codec.engine} did not keep every sample of this frame")
    return made


def prove(made: Converted, cells: Cells, syntax: str) -> bool:
    """Whether a decoder of another make reads exactly `cells` from the frame. Raises NotAcceptable
    when there is none for this syntax or it cannot read the frame."""
    second = registry.second_decoder(syntax)
    if second is None:
        raise NotAcceptable(f"there is no second decoder of {NAMES.get(syntax, syntax)}")
    return _same(second, made, cells, syntax)


def transcode_frame(
    data: bytes, shape: FrameShape, source: str, target: str, *, verify: bool = True
) -> Converted:
    """Native frames are little endian on both sides. Raises NotAcceptable.

    One that goes from native to native is handed on as it is."""
    if source == target or (source in NATIVE and target in NATIVE):
        return Converted(data, shape)
    return encode_frame(decode_frame(data, shape, source), target, verify=verify)


def _same(codec: Codec, made: Converted, cells: Cells, syntax: str) -> bool:
    return np.array_equal(decode_with(codec, made.data, made.shape, syntax).cells, cells)


def checked(data: bytes, shape: FrameShape, syntax: str) -> Stream:
    """The stream's header, when it agrees with the data set: no decoder allocates what a broken or
    hostile frame claims to be."""
    stream = codestream.read(data)
    if (stream.rows, stream.columns, stream.components) != (shape.rows, shape.columns, shape.samples):
        raise NotAcceptable("the compressed frame is not of the size that the data set says")
    if syntax not in JPEG_DCT and not data.endswith(_END) and _END not in data[-_PADDING:]:
        # Decoders fill up what is missing, and CharLS takes seconds to find out that it is.
        raise NotAcceptable("the compressed frame ends early")
    if stream.subsampled and syntax not in JPEG_DCT:
        raise NotAcceptable("subsampled components are read from JPEG baseline and extended only")
    if shape.photometric.startswith("YBR_PARTIAL"):  # neither its range nor its grid is a decoder's
        raise NotAcceptable(f"{shape.photometric} is not converted")
    return stream
