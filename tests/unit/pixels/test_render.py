"""From stored samples to the screen: each case against pydicom's functions or against the formula of
the standard, worked out by hand."""

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence

from pacs.errors import NotAcceptable
from pacs.pixels.voi import Function, Window, windowed
from tests.unit.pixels.shown import by_pydicom, colour, file_of, grey, show
from tests.unit.pixels.stored_objects import sample, samples, stored

RAMP = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
URAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
BYTES = np.arange(256, dtype=np.uint8).reshape(16, 16)
CT = {"RescaleSlope": 1, "RescaleIntercept": -1024, "WindowCenter": 40, "WindowWidth": 400}

# What pydicom cannot read itself, or only with a library that is not installed here.
UNREAD_BY_PYDICOM = {"JPEG-lossy.dcm", "JPGExtended.dcm", "SC_rgb_jpeg_gdcm.dcm", "badVR.dcm"}
DAMAGED_ON_PURPOSE = "JPEG2000-embedded-sequence-delimiter.dcm"


def lut_item(first: int, entries: NDArray[Any], bits: int, vr: str = "US") -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", vr, [len(entries) % 65536, first % 65536 if vr == "US" else first, bits])
    item.add_new("LUTData", "OW", entries.astype("<u2").tobytes())
    return item


GREYS: dict[str, Dataset] = {
    "window": grey(URAMP, BitsStored=12, **CT),
    "window, signed": grey(RAMP, BitsStored=16, WindowCenter=-100, WindowWidth=1500),
    "several windows": grey(RAMP, WindowCenter=[300, 40], WindowWidth=[1500, 400]),
    "exact": grey(URAMP, BitsStored=12, **CT, VOILUTFunction="LINEAR_EXACT"),
    "sigmoid": grey(URAMP, BitsStored=12, **CT, VOILUTFunction="SIGMOID"),
    "width 1": grey(URAMP, BitsStored=12, WindowCenter=2000, WindowWidth=1),
    "MONOCHROME1": grey(URAMP, BitsStored=12, **CT, PhotometricInterpretation="MONOCHROME1"),
    "fractional slope": grey(
        URAMP, BitsStored=12, RescaleSlope="0.0372", RescaleIntercept="-3.25", WindowCenter=50, WindowWidth=90
    ),
    "no window": grey(URAMP[:40, :40]),
    "no window, signed": grey(RAMP[10:30], RescaleSlope=2, RescaleIntercept=-7),
    "8 bits as they are": grey(BYTES),
    "8 bits, signed": grey(BYTES.view(np.int8)),
    "8 bits with a window": grey(BYTES, WindowCenter=100, WindowWidth=50),
    "modality LUT": grey(
        URAMP, BitsStored=12, WindowCenter=500, WindowWidth=900,
        ModalityLUTSequence=Sequence([lut_item(16, (np.arange(3000) ** 2 // 9000), 16)]),
    ),
    "VOI LUT": grey(
        URAMP, BitsStored=12,
        VOILUTSequence=Sequence([lut_item(100, np.sqrt(np.arange(3500) * 70).astype(int), 10)]),
    ),
    "VOI LUT of negative values": grey(
        RAMP, RescaleIntercept=0, RescaleSlope=1,
        VOILUTSequence=Sequence([lut_item(-1000, np.arange(2000) * 2, 12, "SS")]),
    ),
    "32 bits": grey((URAMP.astype(np.uint32) << 12), WindowCenter=1 << 22, WindowWidth=1 << 22),
}  # fmt: skip


@pytest.mark.parametrize("name", GREYS)
def test_grey_scale_is_pydicoms(name: str) -> None:
    file = file_of(GREYS[name])
    ours, theirs = show(file), by_pydicom(file)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert len(np.unique(ours)) > 1


PACKAGED = [name for name in samples() if (table := stored(sample(name)).table) is not None and table.count]


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_files_are_shown_as_pydicom_would(name: str) -> None:
    file = sample(name)
    if name == DAMAGED_ON_PURPOSE:
        with pytest.raises(NotAcceptable):
            show(file)
        return
    ours = show(file)
    if name in UNREAD_BY_PYDICOM:
        assert len(np.unique(ours)) > 1
        return
    assert np.abs(ours.astype(int) - by_pydicom(file)).max() <= 1


def test_a_window_that_is_asked_for_wins_over_window_and_table() -> None:
    file = file_of(GREYS["VOI LUT"])
    assert np.array_equal(show(file, Window(2000, 1000)), linear(URAMP, 2000, 1000))
    file = file_of(grey(URAMP, **CT))
    asked = show(file, Window(100, 300, Function.LINEAR_EXACT))
    values = URAMP.astype(float) - 1024
    expected = np.clip((values - 100) / 300 + 0.5, 0, 1)
    assert np.array_equal(asked, np.rint(expected * 255))


def linear(values: NDArray[Any], center: float, width: float) -> NDArray[Any]:
    """PS3.3 C.11.2.1.2.1, as it is written there, for 0 to 255."""
    out = np.empty(values.shape)
    for at, x in np.ndenumerate(values):
        if x <= center - 0.5 - (width - 1) / 2:
            out[at] = 0
        elif x > center - 0.5 + (width - 1) / 2:
            out[at] = 255
        else:
            out[at] = ((x - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.rint(out)


def test_a_falling_slope() -> None:
    """The window is on what the modality LUT puts out; pydicom spreads it the wrong way round here."""
    ds = grey(URAMP, BitsStored=12, RescaleSlope=-0.5, RescaleIntercept=900, WindowCenter=40, WindowWidth=400)
    assert np.array_equal(show(file_of(ds)), linear(900 - URAMP / 2, 40, 400))


def test_a_table_of_negative_inputs_written_unsigned() -> None:
    unsigned, signed = (
        show(file_of(grey(RAMP, VOILUTSequence=Sequence([lut_item(-1000, np.arange(2000) * 2, 12, vr)]))))
        for vr in ("US", "SS")
    )
    assert np.array_equal(unsigned, signed)


def test_the_window_is_preferred_to_the_voi_lut_and_the_lut_to_the_range() -> None:
    both = grey(URAMP, WindowCenter=2000, WindowWidth=1000, VOILUTSequence=GREYS["VOI LUT"].VOILUTSequence)
    assert np.array_equal(show(file_of(both)), linear(URAMP, 2000, 1000))


@settings(max_examples=200, deadline=None)
@given(
    center=st.floats(-5000, 5000), width=st.floats(1, 10_000),
    function=st.sampled_from(Function),
)  # fmt: skip
def test_windows_rise_from_black_to_white(center: float, width: float, function: Function) -> None:
    levels = windowed(np.linspace(-20_000, 20_000, 501), Window(center, width, function))
    assert (np.diff(levels) >= 0).all()
    assert levels[0] == pytest.approx(0, abs=0.02)
    assert levels[-1] == pytest.approx(1, abs=0.02)
    x = center + width / 4
    if function is Function.SIGMOID:
        assert windowed(np.array([x]), Window(center, width, function))[0] == pytest.approx(
            1 / (1 + math.e**-1)
        )


def test_padding_is_dark_and_does_not_stretch_the_range() -> None:
    pixels = np.full((8, 8), -2000, np.int16)
    pixels[2:6, 2:6] = np.arange(16).reshape(4, 4) + 100
    for photometric, first in (("MONOCHROME2", 0), ("MONOCHROME1", 255)):
        seen = show(file_of(grey(pixels, PixelPaddingValue=-2000, PhotometricInterpretation=photometric)))
        assert (seen[0] == 0).all()
        assert seen[2, 2] == first
        assert seen[5, 5] == 255 - first
    ranged = grey(pixels, PixelPaddingValue=-2100, PixelPaddingRangeLimit=-1900)
    assert show(file_of(ranged))[5, 5] == 255


def test_padding_written_with_the_other_sign() -> None:
    pixels = np.array([[63536, 100], [200, 300]], np.uint16)
    ds = grey(pixels)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    assert show(file_of(ds)).tolist() == [[0, 0], [128, 255]]


def test_overlay_bits_above_the_sample_are_not_seen() -> None:
    clean = file_of(grey(URAMP, BitsStored=12, **CT))
    dirty = file_of(grey(URAMP | (URAMP & 1) << 15 | 1 << 13, BitsStored=12, **CT))
    assert np.array_equal(show(clean), show(dirty))
    shifted = grey(URAMP << 4, BitsStored=12, HighBit=15, **CT)
    assert np.array_equal(show(clean), show(file_of(shifted)))
    signed = grey((RAMP & 0x0FFF).astype(np.int16), BitsStored=12, WindowCenter=0, WindowWidth=3000)
    assert np.array_equal(show(file_of(signed)), linear(RAMP, 0, 3000))


def test_one_value_throughout_is_black() -> None:
    assert (show(file_of(grey(np.full((4, 4), 700, np.uint16)))) == 0).all()


def test_frames_have_their_own_say() -> None:
    """Per-frame groups win over shared ones, and those over the top level (PS3.3 C.7.6.16)."""
    ds = grey(np.stack([URAMP, URAMP, URAMP]), **CT)
    ds.SharedFunctionalGroupsSequence = Sequence([group(voi=(1000, 500))])
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [group(), group(rescale=(2, -10)), group(voi=(3000, 100), rescale=(1, 0))]
    )
    file = file_of(ds)
    assert np.array_equal(show(file, number=1), linear(URAMP - 1024.0, 1000, 500))
    assert np.array_equal(show(file, number=2), linear(URAMP * 2.0 - 10, 1000, 500))
    assert np.array_equal(show(file, number=3), linear(URAMP, 3000, 100))


def group(voi: tuple[float, float] | None = None, rescale: tuple[float, float] | None = None) -> Dataset:
    item = Dataset()
    if voi:
        window = Dataset()
        window.WindowCenter, window.WindowWidth = voi
        item.FrameVOILUTSequence = Sequence([window])
    if rescale:
        transformation = Dataset()
        transformation.RescaleSlope, transformation.RescaleIntercept = rescale
        transformation.RescaleType = "US"
        item.PixelValueTransformationSequence = Sequence([transformation])
    return item


def palette(ds: Dataset, first: int, entries: NDArray[Any], bits: int) -> Dataset:
    for number, name in enumerate(("Red", "Green", "Blue")):
        ds.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [len(entries) % 65536, first, bits])
        data = entries[:, number]
        data = data.astype(np.uint8) if bits == 8 else data.astype("<u2")
        ds.add_new(f"{name}PaletteColorLookupTableData", "OW", data.tobytes())
    return ds


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    ("dtype", "first", "count"), [(np.uint8, 0, 256), (np.uint8, 10, 100), (np.uint16, 5, 5000)]
)
def test_palettes(bits: int, dtype: type, first: int, count: int) -> None:
    rng = np.random.default_rng(1)
    entries = rng.integers(0, 1 << bits, (count, 3))
    indices: NDArray[Any] = rng.integers(0, 256, (20, 20)).astype(dtype)
    file = file_of(palette(grey(indices, PhotometricInterpretation="PALETTE COLOR"), first, entries, bits))
    assert np.array_equal(show(file), by_pydicom(file))


def test_a_palette_called_wide_that_is_narrow() -> None:
    entries = np.stack([np.arange(256), np.arange(256)[::-1], np.zeros(256)], 1)
    file = file_of(palette(grey(BYTES, PhotometricInterpretation="PALETTE COLOR"), 0, entries, 16))
    assert np.array_equal(show(file).reshape(-1, 3), entries)


def test_a_palette_that_is_missing_is_refused() -> None:
    with pytest.raises(NotAcceptable, match="palette"):
        show(file_of(grey(BYTES, PhotometricInterpretation="PALETTE COLOR")))


RNG = np.random.default_rng(7)
COLOURS = RNG.integers(0, 256, (12, 10, 3)).astype(np.uint8)
MakeColour = Callable[[], Dataset]


def test_rgb_by_pixel_and_by_plane() -> None:
    assert np.array_equal(show(file_of(colour(COLOURS, "RGB"))), COLOURS)
    planes = colour(COLOURS, "RGB", PlanarConfiguration=1, PixelData=COLOURS.transpose(2, 0, 1).tobytes())
    assert np.array_equal(show(file_of(planes)), COLOURS)


def test_deep_colours() -> None:
    wide = COLOURS.astype(np.uint16) << 4
    assert np.abs(show(file_of(colour(wide, "RGB", BitsStored=12))).astype(int) - COLOURS).max() <= 1


def test_ybr_full() -> None:
    expected = convert_color_space(COLOURS, "YBR_FULL", "RGB")
    assert np.abs(show(file_of(colour(COLOURS, "YBR_FULL"))).astype(int) - expected).max() <= 1


def test_ybr_full_422_native() -> None:
    halved = COLOURS.copy()
    halved[:, 1::2, 1:] = halved[:, ::2, 1:]  # two pixels share their chroma
    pairs = halved.reshape(-1, 2, 3)
    packed = np.concatenate([pairs[:, :, 0], pairs[:, 0, 1:]], axis=1).astype(np.uint8)
    file = file_of(colour(COLOURS, "YBR_FULL_422", PixelData=packed.tobytes()))
    expected = convert_color_space(halved, "YBR_FULL", "RGB")
    assert np.abs(show(file).astype(int) - expected).max() <= 1
    pydicoms = pydicom.dcmread(io.BytesIO(file)).pixel_array
    assert np.abs(show(file).astype(int) - pydicoms).max() <= 1


def test_bits() -> None:
    """One bit a pixel, frames not on the edges of bytes (PS3.5 8.1.1)."""
    frames = RNG.integers(0, 2, (3, 5, 7)).astype(np.uint8)
    ds = grey(frames, BitsStored=1, BitsAllocated=1, HighBit=0)
    ds.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes() + b"\0\0"
    ds.PixelData = ds.PixelData[: len(ds.PixelData) // 2 * 2]
    for number, frame in enumerate(frames, 1):
        assert np.array_equal(show(file_of(ds), number=number), frame * 255)


def test_fractional_segmentations_are_white_where_certain() -> None:
    pixels = np.array([[0, 50], [100, 25]], np.uint8)
    ds = grey(pixels, SegmentationType="FRACTIONAL", MaximumFractionalValue=100)
    assert show(file_of(ds)).tolist() == [[0, 128], [255, 64]]


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_samples(keyword: str, dtype: str) -> None:
    values = np.linspace(-1, 3, 16).reshape(4, 4).astype(dtype)
    values[0, 0] = np.nan
    ds = grey(np.zeros((4, 4), np.uint16))
    del ds.PixelData, ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    ds.BitsAllocated = values.itemsize * 8
    ds.add_new(keyword, "OF" if dtype == "<f4" else "OD", values.tobytes())
    seen = show(file_of(ds))
    assert seen[0, 0] == 0
    expected = np.rint((values - np.nanmin(values)) / (np.nanmax(values) - np.nanmin(values)) * 255)
    assert np.array_equal(seen.ravel()[1:], expected.ravel()[1:])


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("stored", [0, 9, 40000])
def test_bits_stored_that_cannot_be_are_all_bits(stored: int, signed: int) -> None:
    plain = file_of(grey(BYTES, PixelRepresentation=signed))
    odd = file_of(grey(BYTES, BitsStored=stored, HighBit=7, PixelRepresentation=signed))
    assert np.array_equal(show(odd), show(plain))
    assert np.array_equal(show(file_of(colour(COLOURS, "RGB", BitsStored=stored, HighBit=7))), COLOURS)


@pytest.mark.parametrize(
    "ds",
    [
        colour(COLOURS, "HSV"),
        colour(COLOURS, "YBR_PARTIAL_420"),
        colour(COLOURS, ""),
        grey(BYTES, PhotometricInterpretation="RGB"),
        grey(URAMP, BitsAllocated=12),
    ],
    ids=["HSV", "YBR_PARTIAL_420", "none", "RGB of one sample", "12 bits allocated"],
)
def test_what_is_not_known_is_refused(ds: Dataset) -> None:
    with pytest.raises(NotAcceptable):
        show(file_of(ds))


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_scale_in_which_all_values_are_the_same(photometric: str) -> None:
    """An intercept so large that no number of 64 bits tells the values apart any more."""
    found = show(file_of(grey(BYTES, RescaleIntercept="1e19", RescaleSlope=1,
                              PhotometricInterpretation=photometric)))  # fmt: skip
    assert len(np.unique(found)) == 1
