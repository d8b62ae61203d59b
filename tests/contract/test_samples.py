"""Decoded pixels for programs, straight through the use case."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian

from pacs.auth.actor import Actor, Role
from pacs.dicom.uids import InstanceKey
from pacs.errors import Forbidden, Invalid, NotAcceptable
from pacs.index import lookup
from pacs.ingest.receipt import Stored
from pacs.pixels.quantity import Values
from pacs.pixels.syntaxes import HTJ2K_RPCL
from pacs.retrieve import samples
from pacs.retrieve.deliver import ByteSource, Image
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, put
from tests.support.dicom_object import part10_prefix
from tests.support.factory import Patient, as_object, ct_dataset, ct_series, encode, fresh_uid
from tests.unit.pixels.stored_objects import transcoded

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
GREY = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_padded.dcm", "image_dfl.dcm",
    "J2K_pixelrep_mismatch.dcm", "rtdose.dcm", "rtdose_expb.dcm", "rtdose_rle.dcm", "examples_overlay.dcm",
]  # fmt: skip


def kept(archive: Archive, file: bytes) -> Image:
    receipt = put(archive, file)
    assert isinstance(receipt, Stored)
    (image,) = images(archive, receipt.key)
    return image


def images(archive: Archive, key: InstanceKey) -> list[Image]:
    wanted = Wanted(studies=(key.study,), series=(key.series,), instances=(key.instance,))
    return list(archive.retrieve.samples(ME, wanted))


def made(**elements: Any) -> Dataset:
    """A CT of 4 x 4 pixels with the values 0 to 15, changed."""
    pixels = np.arange(16, dtype="<i2").tobytes()
    ds = ct_dataset(fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=4, columns=4, pixels=pixels)
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def file_of(ds: Dataset) -> bytes:
    return as_object(ds).part10()


def only(image: Image) -> Values:
    (values,) = image.decoded()
    return values


@pytest.mark.parametrize("name", GREY)
def test_the_values_are_those_of_another_implementation(archive: Archive, name: str) -> None:
    image = kept(archive, (FILES / name).read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(FILES / name)
        expected = np.atleast_3d(apply_modality_lut(ds.pixel_array, ds).astype(np.float32))
    if image.frames == 1:
        expected = expected.reshape(1, image.rows, image.columns)
    found = np.stack(list(image.decoded()))
    assert found.dtype == np.float32
    assert (found == expected).all()


def test_what_is_told_of_an_image(archive: Archive) -> None:
    ds = made(
        Modality="CR", BodyPartExamined="CHEST", ViewPosition="PA", PatientAge="042Y", PatientSex="F",
        PhotometricInterpretation="MONOCHROME1",
    )  # fmt: skip
    image = kept(archive, file_of(ds))
    assert image.key == InstanceKey(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
    assert (image.modality, image.body_part, image.view) == ("CR", "CHEST", "PA")
    assert (image.age, image.sex, image.inverted) == ("042Y", "F", True)
    assert (image.frames, image.rows, image.columns) == (1, 4, 4)
    assert (only(image) == np.arange(16).reshape(4, 4)).all()  # inverted is said, not done


def test_a_modality_lut_is_looked_up(archive: Archive) -> None:
    """Short ones stand in the index, long ones are read from the object."""
    for count in (16, 4096):
        table = Dataset()
        table.LUTDescriptor, table.ModalityLUTType = [count, 2, 16], "US"
        entries = (np.arange(count) * 3 + 100).astype("<u2")
        table.add_new("LUTData", "OW", entries.tobytes())
        image = kept(archive, file_of(made(ModalityLUTSequence=[table])))
        expected = 100 + 3 * np.clip(np.arange(16) - 2, 0, count - 1)
        assert (only(image).ravel() == expected).all()


def test_each_frame_has_its_own_scale(archive: Archive) -> None:
    def group(slope: float, intercept: float) -> Dataset:
        scale, item = Dataset(), Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slope, intercept, "US"
        item.PixelValueTransformationSequence = [scale]
        return item

    ds = made(NumberOfFrames=3, SharedFunctionalGroupsSequence=[group(2, 0)])
    ds.PerFrameFunctionalGroupsSequence = [group(1, 0), Dataset(), group(0.5, -10)]
    ds.PixelData = ds.PixelData * 3
    stored = np.arange(16)
    found = [values.ravel() for values in kept(archive, file_of(ds)).decoded()]
    assert [list(one) for one in found] == [list(stored), list(2 * stored), list(0.5 * stored - 10)]


def test_what_lies_above_the_bits_stored_is_no_value(archive: Archive) -> None:
    """Old objects keep an overlay there."""
    cells = np.arange(16, dtype="<u2") | 0xF000
    ds = made(BitsStored=12, HighBit=11, PixelRepresentation=0)
    ds.PixelData = cells.tobytes()
    assert list(only(kept(archive, file_of(ds))).ravel()) == list(range(16))


def test_colours_become_luminance(archive: Archive) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    ds = made(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, BitsAllocated=8)
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 7, 0
    ds.add_new(0x7FE00010, "OB", pixels.tobytes())
    luminance = pixels @ np.array([0.299, 0.587, 0.114])
    assert only(kept(archive, file_of(ds))) == pytest.approx(luminance, abs=1e-3)
    ds.PhotometricInterpretation, ds.SOPInstanceUID = "YBR_FULL", fresh_uid()
    assert (only(kept(archive, file_of(ds))) == pixels[..., 0]).all()


@pytest.mark.parametrize("name", ["examples_palette.dcm", "liver_1frame.dcm"])
def test_what_is_no_quantity_is_not_decoded(archive: Archive, name: str) -> None:
    with pytest.raises(NotAcceptable):
        list(kept(archive, (FILES / name).read_bytes()).decoded())


def test_objects_without_frames_are_no_images(archive: Archive) -> None:
    receipt = put(archive, (FILES / "test-SR.dcm").read_bytes())
    assert isinstance(receipt, Stored)
    assert images(archive, receipt.key) == []


def test_images_come_in_order_and_lazily(archive: Archive) -> None:
    items = ct_series(5, rows=4, columns=4)
    for item in reversed(items):
        put(archive, item.part10())
    found = archive.retrieve.samples(ME, Wanted(studies=(items[0].study,)))
    assert [image.key.instance for image in found] == [item.instance for item in items]


@dataclass(slots=True)
class Counting:
    """A source that knows which bytes were asked of it."""

    source: ByteSource
    size: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = self.source.size

    def pread(self, offset: int, length: int) -> bytes:
        self.ranges.append((offset, offset + length))
        return self.source.pread(offset, length)

    def expect(self, offset: int, length: int) -> None:
        self.source.expect(offset, length)

    def at_hand(self, offset: int, length: int) -> bytes | None:
        return self.source.at_hand(offset, length)

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.source.chunks(offset, length)

    def fileno(self) -> int:
        return self.source.fileno()

    def close(self) -> None:
        self.source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def furthest(self) -> int:
        return max(end for _, end in self.ranges) - min(begin for begin, _ in self.ranges)


@pytest.fixture
def radiograph() -> tuple[bytes, "np.ndarray[Any, np.dtype[np.uint16]]"]:
    """Native and smooth, 1536 x 1024, as .202."""
    y, x = np.mgrid[0:1536, 0:1024].astype(np.float64)
    noise = np.random.default_rng(2).integers(0, 8, (1536, 1024))
    cells = (1800 + 900 * np.sin(x / 90) + 900 * np.cos(y / 130) + noise).astype("<u2")
    ds = ct_dataset(
        fresh_uid(), fresh_uid(), 1, patient=Patient(), rows=1536, columns=1024, pixels=cells.tobytes()
    )
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = 0, 12, 11
    native = part10_prefix(ds.SOPClassUID, ds.SOPInstanceUID, ExplicitVRLittleEndian) + encode(ds)
    return transcoded(native, HTJ2K_RPCL), cells


def test_a_small_picture_takes_few_bytes(
    archive: Archive, radiograph: tuple[bytes, "np.ndarray[Any, np.dtype[np.uint16]]"]
) -> None:
    file, cells = radiograph
    key = kept(archive, file).key
    opened: list[Counting] = []

    def opener(stored: StoredObject) -> ByteSource:
        opened.append(Counting(archive.retrieve.open(stored)))
        return opened[-1]

    (image,) = samples.images(archive.stores.db, lookup.where(studies=(key.study,)), opener)
    assert not opened
    for at_least, shape, share in (
        ((96, 64), (96, 64), 0.01),
        ((97, 64), (192, 128), 0.03),
        (None, (1536, 1024), 1),
    ):
        (values,) = image.decoded(at_least)
        assert values.shape == shape
        assert opened[-1].furthest <= max(share * len(file), 8192)
        factor = 1536 // shape[0]
        averages = cells.reshape(shape[0], factor, shape[1], factor).mean((1, 3))
        assert np.corrcoef(values.ravel(), averages.ravel())[0, 1] > 0.99  # a wavelet averages otherwise
    assert (values == cells).all()


def test_a_look_is_written_down_and_a_stranger_turned_away(archive: Archive) -> None:
    (item,) = ct_series(1, rows=4, columns=4)
    put(archive, item.part10())
    wanted = Wanted(studies=(item.study,))
    list(archive.retrieve.samples(ME, wanted))
    stranger = Actor("sender", frozenset({Role.SENDER}), "", "dimse")
    with pytest.raises(Forbidden):
        archive.retrieve.samples(stranger, wanted)
    with pytest.raises(Invalid):
        archive.retrieve.samples(ME, Wanted())
    rows = [row for row in archive.audit_trail(ME) if row.detail == "samples"]
    assert [(row.actor, row.outcome) for row in rows] == [("sender", "forbidden"), (ME.name, "ok")]
    assert rows[1].study_uid == item.study
    assert rows[1].patient_id == "SYN-1"
