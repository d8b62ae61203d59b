"""The table against pydicom's own division of the files in its wheel."""

import io
import warnings
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import get_expected_length

from pacs.dicom import uids
from pacs.pixels.frames import FrameTable, PixelShape, build

FOLDER = Path(pydicom.__file__).parent / "data" / "test_files"
ENDS_EARLY = "MR_truncated.dcm"
NUMBER_OF_FRAMES_IS_NONE = "badVR.dcm"  # it reads "1A"
BIG_AND_LITTLE = {
    "MR_small_bigendian.dcm": "MR_small.dcm",
    "MR_small_expb.dcm": "MR_small.dcm",
    "SC_rgb_small_odd_big_endian.dcm": "SC_rgb_small_odd.dcm",
    "liver_expb_1frame.dcm": "liver_1frame.dcm",
    "rtdose_expb.dcm": "rtdose.dcm",
    "rtdose_expb_1frame.dcm": "rtdose_1frame.dcm",
}


def parsed(path: Path) -> Dataset | None:
    """The data set when it is an image whose file holds the pixel data as it stands."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = pydicom.dcmread(path)
        except InvalidDicomError:
            return None
        image.PixelData if "PixelData" in image else None  # noqa: B018 -- reads what is deferred
    syntax = image.file_meta.get("TransferSyntaxUID")
    return image if "PixelData" in image and "Rows" in image and syntax != uids.DEFLATED_LE else None


def shape_of(image: Dataset) -> PixelShape:
    return PixelShape(
        image.Rows,
        image.Columns,
        image.SamplesPerPixel,
        image.BitsAllocated,
        int(image.get("NumberOfFrames") or 1),
        image.PhotometricInterpretation,
        vr=image["PixelData"].VR,
    )


def table_of(path: Path, image: Dataset) -> tuple[FrameTable, list[bytes]]:
    file = path.read_bytes()
    element = image["PixelData"]
    position = element.file_tell
    assert position is not None
    compressed = element.is_undefined_length
    length = None if compressed else len(element.value)
    table = build(
        lambda at, count: file[at : at + count],
        shape_of(image),
        image.file_meta.TransferSyntaxUID,
        offset=position,
        length=length,
        end=len(file),
        extended_offsets=image.get("ExtendedOffsetTable", b""),
        extended_lengths=image.get("ExtendedOffsetTableLengths", b""),
    )
    assert table is not None
    assert FrameTable.from_bytes(table.to_bytes()) == table
    if compressed:  # the next element, or nothing more
        assert table.end == len(file) or file[table.end : table.end + 4] == b"\xfc\xff\xfc\xff"
    stored = [b"".join(file[at : at + n] for at, n in table.ranges(i)) for i in range(table.count)]
    return table, [table.deliver(i, frame) for i, frame in enumerate(stored)]


def images() -> list[Path]:
    return [
        path
        for path in sorted(FOLDER.rglob("*"))
        if path.is_file() and path.name != NUMBER_OF_FRAMES_IS_NONE and parsed(path)
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_same_frames_as_pydicom() -> None:
    kinds = Counter[str]()
    for path in images():
        image = parsed(path)
        assert image is not None
        frames = int(image.get("NumberOfFrames") or 1)
        table, delivered = table_of(path, image)
        if path.name == ENDS_EARLY:
            assert table.count == 0
            continue
        assert table.complete, path.name
        assert table.count == frames, path.name
        value = image.PixelData
        if not table.native:
            wanted = list(generate_frames(io.BytesIO(value), number_of_frames=frames))
            assert delivered == wanted, path.name
        elif image.file_meta.TransferSyntaxUID != uids.EXPLICIT_BE:
            assert b"".join(delivered) == value[: get_expected_length(image)], path.name
        kinds[image.file_meta.TransferSyntaxUID.name] += 1
    assert kinds.total() >= 90
    assert len(kinds) >= 11
    print(kinds)


@pytest.mark.parametrize(("big", "little"), BIG_AND_LITTLE.items())
def test_big_endian_is_delivered_as_little_endian(big: str, little: str) -> None:
    delivered = []
    for name in (big, little):
        image = parsed(FOLDER / name)
        assert image is not None
        delivered.append(table_of(FOLDER / name, image)[1])
    assert delivered[0] == delivered[1]
