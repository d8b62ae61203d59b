"""Where the frames of a walked object lie; the walk is carried on behind encapsulated pixel data."""

from pacs.dicom import header
from pacs.dicom.attributes import tag_of
from pacs.dicom.header import Unreadable, Walk
from pacs.pixels import frames
from pacs.pixels.frames import FrameTable, PixelShape, Read

_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002


def frame_table(walked: Walk, transfer_syntax: str, read: Read) -> FrameTable | None:
    """None without pixel data. Raises Unreadable when encapsulated pixel data has no end."""
    table: FrameTable | None = None
    while walked.pixels is not None:
        pixels, walked.pixels = walked.pixels, None
        built = frames.build(
            read,
            _shape(walked, pixels),
            transfer_syntax,
            offset=pixels.offset,
            length=pixels.length,
            end=len(walked.buffer),
            extended_offsets=header.value(walked.buffer, walked.dataset.elements.get(_EXTENDED_OFFSETS)),
            extended_lengths=header.value(walked.buffer, walked.dataset.elements.get(_EXTENDED_LENGTHS)),
        )
        table = table or built
        if pixels.length is None:
            if built is None or not built.complete:
                raise Unreadable("truncated", "the encapsulated pixel data has no end (PS3.5 A.4)")
            header.resume(walked, built.end)
    return table


def _shape(walked: Walk, pixels: header.Element) -> PixelShape:
    def number(keyword: str, default: int) -> int:
        return header.integer(walked, tag_of(keyword), default)

    photometric = walked.dataset.elements.get(tag_of("PhotometricInterpretation"))
    return PixelShape(
        rows=number("Rows", 0),
        columns=number("Columns", 0),
        samples=number("SamplesPerPixel", 1),
        bits_allocated=number("BitsAllocated", 0),
        number_of_frames=number("NumberOfFrames", 1),
        photometric=header.ascii_value(walked.buffer, photometric),
        element=pixels.tag,
        vr=pixels.vr,
    )
