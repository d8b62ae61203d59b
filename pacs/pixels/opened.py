"""A stored object laid open for conversion: its header walked to the end, its frames found."""

from pacs.dicom import header
from pacs.dicom.attributes import tag_of
from pacs.dicom.header import Buffer, Element, Unreadable, Walk
from pacs.pixels import frames
from pacs.pixels.frames import FrameTable, PixelShape, Read
from pacs.pixels.transcode import Stored

_EXTENDED_OFFSETS, _EXTENDED_LENGTHS = 0x7FE00001, 0x7FE00002


def lay_open(buffer: Buffer, read: Read, transfer_syntax: str, offset: int) -> Stored:
    """The object whose data set begins at `offset`; `buffer` and `read` show the same bytes, inflated
    when they were deflated. Raises Unreadable."""
    walk = header.walk(buffer, transfer_syntax, offset)
    return Stored(walk, frame_table(walk, read, transfer_syntax), read, transfer_syntax)


def frame_table(walk: Walk, read: Read, transfer_syntax: str) -> FrameTable | None:
    """The frame table, and the walk carried on behind encapsulated pixel data. Raises Unreadable."""
    table: FrameTable | None = None
    while walk.pixels is not None:
        pixels, walk.pixels = walk.pixels, None
        built = frames.build(
            read,
            _shape(walk, pixels),
            transfer_syntax,
            offset=pixels.offset,
            length=pixels.length,
            end=walk.size,
            extended_offsets=header.value(walk.buffer, walk.dataset.elements.get(_EXTENDED_OFFSETS)),
            extended_lengths=header.value(walk.buffer, walk.dataset.elements.get(_EXTENDED_LENGTHS)),
        )
        table = table or built
        if pixels.length is None:
            if built is None or not built.complete:
                raise Unreadable("truncated", "the encapsulated pixel data has no end (PS3.5 A.4)")
            header.resume(walk, built.end)
    return table


def _shape(walk: Walk, pixels: Element) -> PixelShape:
    def number(keyword: str, default: int) -> int:
        return header.integer(walk, tag_of(keyword), default)

    photometric = walk.dataset.elements.get(tag_of("PhotometricInterpretation"))
    return PixelShape(
        rows=number("Rows", 0),
        columns=number("Columns", 0),
        samples=number("SamplesPerPixel", 1),
        bits_allocated=number("BitsAllocated", 0),
        number_of_frames=number("NumberOfFrames", 1),
        photometric=header.ascii_value(walk.buffer, photometric),
        element=pixels.tag,
        vr=pixels.vr,
    )
