"""What pydicom's packaged files decode to, file by file, against another library's result.

The judge of each transfer syntax is a decoder of another make: of this archive, or of DCMTK. For
JPEG 2000 (not high-throughput) no other engine is at hand than OpenJPEG, so there it is another
build of the same.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels import registry, syntaxes
from pacs.pixels.codecs.openjpeg import PylibjpegOpenJPEG
from pacs.pixels.convert import Picture, decode_frame, decode_with, transcode_frame
from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import NAMES, NATIVE
from pacs.pixels.transcode import Stored
from tests.unit.pixels.stored_objects import FOLDER, read, sample, samples, stored

DAMAGED_ON_PURPOSE = "JPEG2000-embedded-sequence-delimiter.dcm"
UNREADABLE_TO_DCMTK = "SC_rgb_jpeg.dcm"  # a data set in Implicit VR that says it is explicit
DCMTK = {
    **dict.fromkeys(syntaxes.JPEG_DCT | syntaxes.JPEG_SOF3, "dcmdjpeg"),
    **dict.fromkeys(syntaxes.JPEG_LS_FAMILY, "dcmdjpls"),
    uids.RLE: "dcmdrle",
}


@dataclass(frozen=True)
class Compressed:
    name: str
    stored: Stored
    shape: FrameShape

    @property
    def syntax(self) -> str:
        return self.stored.transfer_syntax

    def frames(self) -> list[bytes]:
        table = self.stored.table
        assert table is not None
        return [
            b"".join(self.stored.read(*piece) for piece in table.ranges(number))
            for number in range(table.count)
        ]

    def pictures(self) -> list[Picture]:
        return [decode_frame(frame, self.shape, self.syntax) for frame in self.frames()]


def compressed() -> list[Compressed]:
    found = []
    for name in samples():
        each = stored(sample(name))
        if each.table is not None and each.transfer_syntax not in NATIVE and name != DAMAGED_ON_PURPOSE:
            found.append(Compressed(name, each, FrameShape.of(each.walk)))
    return found


FILES = {file.name: file for file in compressed()}


JUDGED_BY_DCMTK = [
    name for name, file in FILES.items() if file.syntax in DCMTK and name != UNREADABLE_TO_DCMTK
]


def test_the_files_cover_the_syntaxes() -> None:
    assert len(FILES) >= 35
    assert {file.syntax for file in FILES.values()} >= {
        uids.RLE,
        *syntaxes.JPEG_DCT,
        syntaxes.JPEG_LOSSLESS_SV1,
        *syntaxes.JPEG_LS_FAMILY,
        *syntaxes.JPEG_2000_PART_1,
    }


@pytest.mark.parametrize("name", FILES)
def test_second_decoder(name: str) -> None:
    file = FILES[name]
    second = registry.second_decoder(file.syntax)
    build = PylibjpegOpenJPEG() if file.syntax in syntaxes.JPEG_2000_FAMILY else second
    if build is None:
        assert name in {*JUDGED_BY_DCMTK, UNREADABLE_TO_DCMTK}
        return
    for picture, frame in zip(file.pictures(), file.frames(), strict=True):
        other = decode_with(build, frame, file.shape, file.syntax)
        assert np.array_equal(picture.cells, other.cells)
    independent = "independent" if second else "another build of the same engine"
    print(f"{name}: {NAMES[file.syntax]}, equal to {build.engine} of {build.package} ({independent})")


@pytest.mark.peer("dcmtk")
@pytest.mark.parametrize("name", JUDGED_BY_DCMTK)
def test_dcmtk(name: str, tmp_path: Path) -> None:
    file, tool = FILES[name], DCMTK[FILES[name].syntax]
    made = tmp_path / "decoded.dcm"
    subprocess.run([tool, FOLDER / name, made], check=True, capture_output=True)
    theirs = read(made.read_bytes())
    for picture, cells in zip(file.pictures(), frames_of(file, theirs.PixelData, theirs), strict=True):
        assert picture.shape.photometric == theirs.PhotometricInterpretation
        assert np.array_equal(picture.cells, cells)
    print(f"{name}: {NAMES[file.syntax]}, equal to {tool}")


def frames_of(file: Compressed, value: bytes, theirs: object) -> list[Cells]:
    shape, first = file.shape, file.pictures()[0].cells
    planes = getattr(theirs, "PlanarConfiguration", 0) == 1
    found: list[Cells] = []
    for at in range(0, len(value) - shape.bytes + 1, shape.bytes):
        flat = np.frombuffer(value[at : at + shape.bytes], first.dtype)
        if planes:
            found.append(flat.reshape(3, shape.rows, shape.columns).transpose(1, 2, 0))
        else:
            found.append(flat.reshape(first.shape))
    return found


@pytest.mark.parametrize("name", FILES)
def test_decoded_frames_go_through_every_lossless_syntax(name: str) -> None:
    file = FILES[name]
    picture = file.pictures()[0]
    native = picture.cells.tobytes()
    for syntax in sorted(registry.encodable() - NATIVE):
        if file.shape.bits_allocated == 32 and syntax != uids.RLE:
            continue
        made = transcode_frame(native, picture.shape, uids.EXPLICIT_LE, syntax)
        assert transcode_frame(made.data, made.shape, syntax, uids.EXPLICIT_LE).data == native


def test_a_damaged_file_is_refused() -> None:
    """Its code stream claims 3.7 billion columns; nothing is allocated for them."""
    each = stored(sample(DAMAGED_ON_PURPOSE))
    broken = Compressed(DAMAGED_ON_PURPOSE, each, FrameShape.of(each.walk))
    with pytest.raises(NotAcceptable):
        broken.pictures()


@pytest.mark.parametrize(
    ("name", "at", "colour"),
    [
        ("SC_rgb_jpeg.dcm", (0, 0), (244, 244, 244)),  # RGB without a word of it in the stream
        ("SC_jpeg_no_color_transform_2.dcm", (0, 0), (244, 246, 246)),  # its Adobe flag is 0
        ("SC_rgb_dcmtk_+eb+cr.dcm", (0, 0), (255, 0, 0)),
        ("SC_rgb_dcmtk_+eb+cy+np.dcm", (0, 0), (254, 0, 0)),  # YCbCr
        ("SC_rgb_jpeg_gdcm.dcm", (0, 0), (255, 0, 0)),  # lossless
        ("SC_rgb_rle.dcm", (0, 0), (255, 0, 0)),
    ],
)
def test_colours(name: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    assert tuple(FILES[name].pictures()[0].cells[at]) == colour
