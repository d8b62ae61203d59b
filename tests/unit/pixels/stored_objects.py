"""Objects opened as the archive opens them, transcoded and read again by pydicom."""

import io
import warnings
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset

from pacs.dicom import header, uids
from pacs.dicom.attributes import tag_of
from pacs.pixels import frames, part10
from pacs.pixels.shape import FrameShape
from pacs.pixels.transcode import Stored, Transcoding, plan

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
EXTENDED = (0x7FE00001, 0x7FE00002)


def stored(file: bytes) -> Stored:
    meta = header.read_meta(memoryview(file))
    walk = header.walk(memoryview(file), meta.transfer_syntax, meta.dataset_offset)
    pixels, walk.pixels = walk.pixels, None
    if pixels is None:
        return Stored(walk, None, reader(file), meta.transfer_syntax)
    shape = FrameShape.of(walk)
    tables = [header.value(walk.buffer, walk.dataset.elements.get(tag)) for tag in EXTENDED]
    table = frames.build(
        reader(file),
        frames.PixelShape(
            shape.rows,
            shape.columns,
            shape.samples,
            shape.bits_allocated,
            header.integer(walk, tag_of("NumberOfFrames"), 1),
            shape.photometric,
            element=pixels.tag,
            vr=pixels.vr,
        ),
        meta.transfer_syntax,
        offset=pixels.offset,
        length=pixels.length,
        end=len(file),
        extended_offsets=tables[0],
        extended_lengths=tables[1],
    )
    if pixels.length is None:
        assert table is not None
        header.resume(walk, table.end)
    return Stored(walk, table, reader(file), meta.transfer_syntax)


def reader(file: bytes) -> frames.Read:
    return lambda at, count: file[at : at + count]


def written(file: bytes, transcoding: Transcoding, scratch: BinaryIO | None = None) -> bytes:
    """The Part 10 file; checks the size that was announced."""
    data_set = b"".join(transcoding.chunks(scratch))
    size = transcoding.size()
    assert size is None or size == len(data_set)
    prefix = file[: header.read_meta(memoryview(file)).dataset_offset]
    return part10.with_syntax(prefix, transcoding.transfer_syntax) + data_set


def transcoded(file: bytes, target: str, scratch: BinaryIO | None = None) -> bytes:
    return written(file, plan(stored(file), target), scratch)


def read(file: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(io.BytesIO(file))


def sample(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def samples() -> list[str]:
    """Files that are Part 10 files with a transfer syntax and are not cut short."""
    found = []
    for path in sorted(FOLDER.rglob("*")):
        if not path.is_file() or path.suffix == ".py":
            continue
        file = path.read_bytes()
        try:
            meta = header.read_meta(memoryview(file))
            if meta.transfer_syntax and meta.transfer_syntax != uids.DEFLATED_LE:
                stored(file)
                found.append(str(path.relative_to(FOLDER)))
        except (header.Unreadable, AssertionError):
            continue
    return found
