"""Which colours a compressed frame holds and which ones its decoder delivers.

The data set's word alone does not do: JPEG files called RGB hold YCbCr and the other way round.
"""

from pacs.pixels.codestream import Stream
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import JPEG_2000_FAMILY, JPEG_DCT

_TRANSFORMED = frozenset({"YBR_RCT", "YBR_ICT"})


def is_ycc(stream: Stream, shape: FrameShape) -> bool:
    """Whether a lossy JPEG holds YCbCr: its Adobe flag says, else JFIF, which knows nothing but YCbCr,
    else components that are called R, G and B, else the data set."""
    if stream.components != 3:
        return False
    if stream.adobe is not None:
        return stream.adobe == 1
    if stream.jfif:
        return True
    return stream.component_ids != b"RGB" and shape.photometric.startswith("YBR")


def delivered(syntax: str, shape: FrameShape) -> str:
    """Photometric Interpretation of what the decoders of this archive make of the frame."""
    if shape.samples != 3:
        return shape.photometric
    if syntax in JPEG_DCT:
        return "RGB"
    if syntax in JPEG_2000_FAMILY and shape.photometric in _TRANSFORMED:
        return "RGB"
    return shape.photometric.removesuffix("_422")  # 4:2:2 is a way to store natively only


def encoded(syntax: str, shape: FrameShape) -> str:
    """Photometric Interpretation after encoding: the reversible component transform has a name of its
    own (PS3.5 8.2.4)."""
    if syntax in JPEG_2000_FAMILY and uses_transform(shape):
        return "YBR_RCT"
    return shape.photometric


def uses_transform(shape: FrameShape) -> bool:
    return shape.samples == 3 and shape.photometric == "RGB"
