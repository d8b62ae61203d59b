"""Frames and pictures of every way in which pixels are laid out, over HTTP (PS3.5 8, A.4; PS3.18 10.4)."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom import encaps
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_color_lut, convert_color_space
from pydicom.uid import UID

from pacs.config import Config
from tests.conformance.dicomweb.conftest import running
from tests.support.dicom_object import DicomObject
from tests.support.factory import fresh_uid
from tests.support.pictures import Kind, as_object, noise, picture, read, samples_of
from tests.support.web_client import Web, parts_of

EXPLICIT, RLE, JPEG_LS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"
JPEG_2000, RPCL = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.202"
OCTETS = "application/octet-stream"
STORED = f"multipart/related; type={OCTETS}; transfer-syntax=*"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
Frames = list[bytes]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(Config(data=tmp_path_factory.mktemp("layouts"))) as url:
        yield f"{url}/dicom-web"


def ask(url: str, accept: str) -> httpx.Response:
    return httpx.get(url, headers={"Accept": accept}, timeout=30)


def kept(root: str, ds: Dataset, syntax: str = EXPLICIT) -> str:
    """The address of an object made of this data set, its pixel data already in it."""
    ds.SOPClassUID = ds.get("SOPClassUID", SECONDARY)
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = fresh_uid(), fresh_uid(), fresh_uid()
    ds.Modality, ds.PatientID = "OT", "LAYOUT"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, ds, enforce_file_format=True)
    return stored(root, as_object(buffer.getvalue()))


def stored(root: str, item: DicomObject) -> str:
    assert Web(root).store([item]).status == 200
    return item.path(root)


# -- encapsulated -------------------------------------------------------------------------------


def _empty(ds: Dataset, frames: Frames) -> None:
    ds.PixelData = encaps.encapsulate(frames, has_bot=False)


def _basic(ds: Dataset, frames: Frames) -> None:
    ds.PixelData = encaps.encapsulate(frames, has_bot=True)


def _extended(ds: Dataset, frames: Frames) -> None:
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encaps.encapsulate_extended(frames)


def _fragments(ds: Dataset, frames: Frames) -> None:
    ds.PixelData = encaps.encapsulate(frames, fragments_per_frame=3, has_bot=True)


def _fragments_without_table(ds: Dataset, frames: Frames) -> None:
    ds.PixelData = encaps.encapsulate(frames, fragments_per_frame=3, has_bot=False)


LAYOUTS: dict[str, Callable[[Dataset, Frames], None]] = {
    "empty table": _empty,
    "basic table": _basic,
    "extended table": _extended,
    "fragments": _fragments,
    "fragments without a table": _fragments_without_table,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, JPEG_2000, RPCL])
def test_encapsulated_frames(root: str, syntax: str, layout: str) -> None:
    """Frames of several lengths, odd ones among them, whose padding is no part of them."""
    if syntax == RLE and layout.startswith("fragments"):
        return  # a frame is one fragment there (PS3.5 A.4.2)
    samples = noise(4, 9, 7, bits=8)
    samples[1:3] //= 16
    item = picture(samples, Kind(8), syntax=syntax)
    ds = read(item.part10())
    frames = list(encaps.generate_frames(ds.PixelData, number_of_frames=4))
    if syntax == JPEG_LS:
        frames = [frame.rstrip(b"\0") for frame in frames]
        assert any(len(frame) % 2 for frame in frames)
    LAYOUTS[layout](ds, frames)
    url = kept(root, ds, syntax)
    (table,) = httpx.get(f"{url}/metadata").json()
    assert table["00280008"]["Value"] == [4]
    parts = parts_of(ask(f"{url}/frames/4,1,3,2,1", STORED))
    assert [p.body.rstrip(b"\0") for p in parts] == [frames[n].rstrip(b"\0") for n in (3, 0, 2, 1, 0)]
    assert {p.headers["content-type"] for p in parts} == {f"{OCTETS}; transfer-syntax={syntax}"}
    for number in range(4):
        decoded = ask(f"{url}/frames/{number + 1}", OCTETS)
        assert decoded.content == samples[number].tobytes()
    whole = ask(url, f"application/dicom; transfer-syntax={EXPLICIT}")
    assert np.array_equal(samples_of(whole.content), samples)
    assert ask(f"{url}/frames/5", STORED).status_code == 404


# -- bits ---------------------------------------------------------------------------------------


def packed(values: NDArray[Any], bits: int) -> bytes:
    """PS3.5 8.1.1: the first value in the least significant bits, frames without a gap."""
    flat = values.ravel().astype(np.uint16)
    each = (flat[:, None] >> np.arange(bits)) & 1
    found = np.packbits(each.ravel().astype(np.uint8), bitorder="little").tobytes()
    return found + bytes(len(found) % 2)


def image(values: NDArray[Any], bits: int, **more: Any) -> Dataset:
    ds = Dataset()
    ds.NumberOfFrames, ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit, ds.PixelRepresentation = bits - 1, 0
    for keyword, value in more.items():
        setattr(ds, keyword, value)
    ds.add_new(0x7FE00010, "OB" if bits <= 8 else "OW", packed(values, bits))
    return ds


@pytest.mark.parametrize("bits", [1, 12])
def test_frames_that_do_not_begin_on_a_byte(root: str, bits: int) -> None:
    """15 and 180 bits a frame: each comes from the first bit of its first byte on."""
    values = np.random.default_rng(7).integers(0, 1 << bits, (3, 5, 3))
    more: dict[str, Any] = {"SOPClassUID": SEGMENTATION, "SegmentationType": "BINARY"} if bits == 1 else {}
    url = kept(root, image(values, bits, **more))
    for number in (1, 2, 3):
        frame = ask(f"{url}/frames/{number}", OCTETS)
        assert frame.status_code == 200
        assert frame.headers["content-type"] == f"{OCTETS}; transfer-syntax={EXPLICIT}"
        unpacked = np.unpackbits(np.frombuffer(frame.content, np.uint8), bitorder="little")[: 15 * bits]
        read_again = (unpacked.reshape(15, bits).astype(int) << np.arange(bits)).sum(axis=1)
        assert np.array_equal(read_again.reshape(5, 3), values[number - 1])
    bulk = httpx.get(f"{url}/bulkdata/7FE00010")
    assert bulk.content == packed(values, bits)
    if bits == 1:
        for number in (1, 2, 3):
            shown = cells(ask(f"{url}/frames/{number}/rendered", "image/png"))
            assert np.array_equal(shown, values[number - 1] * 255)


# -- colours ------------------------------------------------------------------------------------


def cells(answer: httpx.Response) -> NDArray[Any]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)


def colour(photometric: str, value: bytes, **more: Any) -> Dataset:
    ds = Dataset()
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 6, 8, 3, photometric
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation, ds.PlanarConfiguration = 7, 0, 0
    for keyword, said in more.items():
        setattr(ds, keyword, said)
    ds.add_new(0x7FE00010, "OB", value)
    return ds


RGB = np.random.default_rng(3).integers(0, 256, (6, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("planar", [0, 1])
def test_colours_by_pixel_and_by_plane(root: str, planar: int) -> None:
    value = RGB.transpose(2, 0, 1).tobytes() if planar else RGB.tobytes()
    url = kept(root, colour("RGB", value, PlanarConfiguration=planar))
    assert ask(f"{url}/frames/1", OCTETS).content == value
    assert np.array_equal(cells(ask(f"{url}/rendered", "image/png")), RGB)
    for target in (RLE, JPEG_LS, RPCL):
        made = read(ask(url, f"application/dicom; transfer-syntax={target}").content)
        assert made.SamplesPerPixel == 3
        back = ask(url, f"application/dicom; transfer-syntax={EXPLICIT}").content
        again = samples_of(back)[0]
        assert np.array_equal(again, RGB), target
        assert "LossyImageCompression" not in made


def test_half_as_much_colour(root: str) -> None:
    """YBR_FULL_422, not compressed: two pixels share their colour (PS3.3 C.7.6.3.1.2)."""
    full = convert_color_space(RGB, "RGB", "YBR_FULL")
    halves = full.reshape(6, 4, 2, 3)
    value = np.concatenate([halves[:, :, :, 0], halves[:, :, 0, 1:]], axis=2).tobytes()
    shared = np.repeat(halves[:, :, :1], 2, axis=2)
    shared[..., 0] = halves[..., 0]
    expected = convert_color_space(shared.reshape(6, 8, 3), "YBR_FULL", "RGB").astype(int)
    url = kept(root, colour("YBR_FULL_422", value))
    frame = ask(f"{url}/frames/1", OCTETS)
    assert frame.content == value
    assert np.abs(cells(ask(f"{url}/rendered", "image/png")) - expected).max() <= 2
    refused = ask(url, f"application/dicom; transfer-syntax={RPCL}")
    assert refused.status_code == 406
    assert ask(url, "application/dicom").status_code == 200


def test_a_palette(root: str) -> None:
    indices = np.random.default_rng(5).integers(0, 64, (6, 8)).astype(np.uint8)
    tables = [((np.arange(64) * factor) % 256 * 257).astype("<u2") for factor in (3, 5, 7)]
    ds = colour("PALETTE COLOR", indices.tobytes(), SamplesPerPixel=1)
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [64, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", table.tobytes())
    del ds.PlanarConfiguration
    url = kept(root, ds)
    expected = apply_color_lut(indices, ds).astype(int) >> 8
    shown = cells(ask(f"{url}/rendered", "image/png"))
    assert np.abs(shown - expected).max() <= 1
    assert ask(f"{url}/frames/1", OCTETS).content == indices.tobytes()
    made = read(ask(url, f"application/dicom; transfer-syntax={JPEG_LS}").content)
    assert made.PhotometricInterpretation == "PALETTE COLOR"


def test_what_has_no_pixels(root: str) -> None:
    """Reports, structures, key objects and presentation states (PS3.18 10.4.1.1.3)."""
    classes = {
        "SR": "1.2.840.10008.5.1.4.1.1.88.22", "KO": "1.2.840.10008.5.1.4.1.1.88.59",
        "PR": "1.2.840.10008.5.1.4.1.1.11.1", "RTSTRUCT": "1.2.840.10008.5.1.4.1.1.481.3",
    }  # fmt: skip
    for modality, sop_class in classes.items():
        ds = Dataset()
        ds.SOPClassUID = sop_class
        url = kept(root, ds)
        assert ask(f"{url}/frames/1", "*/*").status_code == 404, modality
        assert ask(f"{url}/rendered", "image/jpeg").status_code == 406
        assert ask(f"{url}/rendered", "*/*").status_code in {200, 406}
        icon = ask(f"{url}/thumbnail", "image/png")
        assert icon.status_code == 200
        assert "no pixels" in icon.headers["warning"]
