"""What codec libraries do wrong, and that this archive does not hand it on."""

import contextlib
import math
import sys

import imagecodecs
import numpy as np
import openjpeg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels import codestream, registry, resolutions
from pacs.pixels.codecs import openjph
from pacs.pixels.convert import decode_frame, decode_with, transcode_frame
from pacs.pixels.reduced import decode_reduced
from pacs.pixels.samples import Cells, from_native
from pacs.pixels.shape import FrameShape
from pacs.pixels.syntaxes import (
    HTJ2K,
    HTJ2K_LOSSLESS,
    HTJ2K_RPCL,
    JPEG_2000_LOSSLESS,
    JPEG_BASELINE,
    JPEG_LOSSLESS_SV1,
    JPEG_LS,
)
from tests.unit.pixels.frame_population import content, range_of, shape

NATIVE = uids.EXPLICIT_LE
FACTORS = (1, 2, 4, 8, 16, 32)
DEPTHS = ((8, 8), (16, 7), (16, 12), (16, 15), (16, 16))


def edges(wanted: FrameShape) -> tuple[bytes, Cells]:
    """Black beside white: what makes a wavelet overshoot."""
    frame = content(wanted, "extremes", 1)
    return frame, from_native(frame, wanted)


def mean_of_blocks(cells: Cells, factor: int) -> Cells:
    rows, columns = (side // factor * factor for side in cells.shape[:2])
    blocks = cells[:rows, :columns].astype(float)
    blocks = blocks.reshape(rows // factor, factor, columns // factor, factor, *cells.shape[2:])
    mean: Cells = blocks.mean(axis=(1, 3))
    return mean


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(("allocated", "stored"), DEPTHS)
def test_reduced_pictures_are_clamped_and_do_not_wrap(
    allocated: int,
    stored: int,
    colours: int,
    signed: bool,  # noqa: FBT001
) -> None:
    wanted = shape(192, 224, colours, allocated, stored, signed=signed)
    low, high = range_of(wanted)
    ramp = np.linspace(low, high, 224).astype(int)
    cells = np.broadcast_to(
        ramp[:, None] if colours == 3 else ramp, from_native(bytes(wanted.bytes), wanted).shape
    )
    cells = cells.copy()
    cells[64:128:2] = low  # lines of extremes amid the ramp
    cells[65:128:2] = high
    frame = cells.astype(from_native(bytes(wanted.bytes), wanted).dtype).tobytes()
    made = transcode_frame(frame, wanted, NATIVE, HTJ2K_RPCL)
    for factor in FACTORS:
        small = decode_reduced(made.data, factor, made.shape)
        assert small.shape[:2] == (math.ceil(192 / factor), math.ceil(224 / factor))
        assert low <= small.min()
        assert small.max() <= high
        if 1 < factor <= 8:  # a wrapped sample is off by the whole range
            wanted_small = mean_of_blocks(cells, factor)
            there = small[: wanted_small.shape[0], : wanted_small.shape[1]]
            outside = np.abs(there[: 64 // factor] - wanted_small[: 64 // factor])
            assert outside.max() <= 0.3 * (high - low) + 1
    assert np.array_equal(decode_reduced(made.data, 1, made.shape), cells)


def test_imagecodecs_alone_does_wrap() -> None:
    """When this fails the library has learnt to clamp, and the care taken here can go."""
    wanted = shape(256, 256, stored=12)
    made = transcode_frame(edges(wanted)[0], wanted, NATIVE, HTJ2K_RPCL)
    assert imagecodecs.htj2k_decode(made.data, skipres=1).max() > 4095
    assert decode_reduced(made.data, 2, wanted).max() <= 4095


@pytest.mark.parametrize("stored", [8, 12, 14])
def test_the_clamp_equals_the_one_by_reinterpretation(stored: int) -> None:
    """Up to 14 bits stored in cells of 16: view as int16, clip. Of 15 an overshoot leaves int16, too."""
    wanted = shape(250, 190, stored=stored)
    made = transcode_frame(edges(wanted)[0], wanted, NATIVE, HTJ2K_RPCL)
    for factor in FACTORS[1:]:
        plain = imagecodecs.htj2k_decode(made.data, skipres=factor.bit_length() - 1)
        clipped = np.clip(plain.view(np.int16), 0, (1 << stored) - 1)
        assert np.array_equal(decode_reduced(made.data, factor, wanted), clipped)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("allocated", "stored"), DEPTHS)
@pytest.mark.parametrize("colours", [1, 3])
def test_lossy_htj2k_is_clamped_as_the_second_decoder_does(
    allocated: int,
    stored: int,
    colours: int,
    signed: bool,  # noqa: FBT001
) -> None:
    wanted = shape(130, 150, colours, allocated, stored, signed=signed)
    _, cells = edges(wanted)
    data = bytes(
        imagecodecs.htj2k_encode(
            cells, 0.002, rgb=colours == 3, planar=False, resolutions=5, reversible=False
        )
    )
    first = decode_frame(data, wanted, HTJ2K).cells.astype(int)
    second = openjpeg.utils.decode(data).astype(int)
    assert np.abs(first - second).max() <= max(1, (1 << allocated) >> 13)  # rounding, never the range


@pytest.mark.parametrize("factor", [0, 3, 64, 1 << 20, -2])
def test_resolutions_that_are_not_there(factor: int) -> None:
    made = transcode_frame(content(shape(70, 70), "ramp"), shape(70, 70), NATIVE, HTJ2K_RPCL)
    with pytest.raises(NotAcceptable):
        decode_reduced(made.data, factor, made.shape)


SIDES = st.one_of(st.integers(1, 6), st.sampled_from([63, 64, 65, 700]))


@pytest.mark.parametrize("syntax", [HTJ2K_LOSSLESS, HTJ2K_RPCL])
@settings(max_examples=50, deadline=None)
@given(rows=SIDES, columns=SIDES, signed=st.booleans(), allocated=st.sampled_from([8, 16]))
def test_never_without_decomposition(
    syntax: str,
    rows: int,
    columns: int,
    signed: bool,  # noqa: FBT001
    allocated: int,
) -> None:
    """Zero levels have lost the smallest sample. One pixel wide or high has its five as well."""
    wanted = shape(rows, columns, 1, allocated, allocated, signed=signed)
    for kind in ("lowest", "highest", "extremes"):
        frame = content(wanted, kind)
        made = transcode_frame(frame, wanted, NATIVE, syntax)
        assert codestream.read(made.data).levels >= 5
        assert transcode_frame(made.data, made.shape, syntax, NATIVE).data == frame


@given(rows=st.integers(1, 1 << 16), columns=st.integers(1, 1 << 16))
def test_levels_leave_at_most_64(rows: int, columns: int) -> None:
    levels = openjph.levels(rows, columns)
    shorter = min(rows, columns)
    assert levels >= 5
    assert math.ceil(shorter / (1 << levels)) <= 64
    assert levels == 5 or math.ceil(shorter / (1 << (levels - 1))) > 64


def test_202_is_what_it_must_be() -> None:
    """RPCL, TLM, one tile-part a resolution (PS3.5 10.18)."""
    wanted = shape(2200, 2500)
    made = transcode_frame(content(wanted, "lowest"), wanted, NATIVE, HTJ2K_RPCL)
    found = resolutions.parse(made.data, len(made.data))
    assert isinstance(found, resolutions.Resolutions)
    assert found.stream.progression == 2
    assert found.stream.levels == 6
    assert len(found.ends) == 7
    assert decode_reduced(made.data[: found.ends[0]], 64, wanted).shape == (35, 40)


@pytest.mark.parametrize("syntax", [HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_LS])
def test_precision_is_the_cells(syntax: str) -> None:
    """Bits Stored as precision would break overlays and other bits above it."""
    wanted = shape(64, 64, stored=12)
    frame = content(wanted, "whole cells")
    made = transcode_frame(frame, wanted, NATIVE, syntax)
    assert codestream.read(made.data).precision == 16
    assert transcode_frame(made.data, made.shape, syntax, NATIVE).data == frame


def test_noise_has_room_in_jpeg_ls() -> None:
    """CharLS through imagecodecs fails on noise, which grows, unless it is given room."""
    wanted = shape(100, 300, stored=16)
    made = transcode_frame(content(wanted, "noise"), wanted, NATIVE, JPEG_LS)
    assert len(made.data) > wanted.bytes


def test_jpeg_ls_has_no_file_header() -> None:
    made = transcode_frame(content(shape(), "noise"), shape(), NATIVE, JPEG_LS)
    assert made.data.startswith(b"\xff\xd8\xff\xf7")
    assert b"SPIFF" not in made.data


def test_a_cut_stream_is_completed_for_openjpeg() -> None:
    wanted = shape(256, 256, stored=16)
    made = transcode_frame(content(wanted, "ramp"), wanted, NATIVE, HTJ2K_RPCL)
    found = resolutions.parse(made.data)
    assert isinstance(found, resolutions.Resolutions)
    second = registry.second_decoder(HTJ2K_RPCL)
    assert second is not None
    whole = second.decode(made.data[: found.ends[-1]], None, wanted)
    assert np.array_equal(whole, from_native(content(wanted, "ramp"), wanted))


@pytest.mark.parametrize("claimed", [shape(6, 7), shape(5, 8), shape(5, 7, 3)])
@pytest.mark.parametrize("syntax", [HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_LS, uids.RLE])
def test_frames_of_another_size_are_not_decoded(syntax: str, claimed: FrameShape) -> None:
    made = transcode_frame(content(shape(), "noise"), shape(), NATIVE, syntax)
    with pytest.raises(NotAcceptable):
        decode_frame(made.data, claimed, syntax)


@pytest.mark.parametrize("syntax", sorted(registry.decodable() - {uids.RLE}))
@given(junk=st.binary(max_size=200))
@settings(max_examples=15, deadline=None)
def test_junk_is_refused(syntax: str, junk: bytes) -> None:
    with pytest.raises(NotAcceptable):
        decode_frame(b"\xff\xd8" + junk, shape(100, 100), syntax)


@pytest.mark.parametrize(
    "syntax", sorted(registry.encodable() - {NATIVE, uids.IMPLICIT_LE, uids.DEFLATED_LE})
)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # imagecodecs swallows them
def test_damaged_frames_are_refused_or_decoded_but_never_more(syntax: str, data: st.DataObject) -> None:
    wanted = shape(40, 30, stored=16)
    frame = bytearray(transcode_frame(content(wanted, "ramp"), wanted, NATIVE, syntax).data)
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    with contextlib.suppress(NotAcceptable):
        assert decode_frame(cut, wanted, syntax).cells.shape == (40, 30)


@pytest.mark.parametrize("colours", [1, 3])
def test_errors_that_imagecodecs_swallows_are_noticed(colours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reports them to nobody and returns what it has of the picture."""
    swallowed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", swallowed.append)
    wanted = shape(64, 48, colours, 16, 16)
    frame = transcode_frame(content(wanted, "noise"), wanted, NATIVE, HTJ2K_LOSSLESS).data
    noticed = 0
    for at in range(len(frame) // 4, len(frame) - 50, 17):
        broken = frame[:at] + frame[at + 40 :]
        swallowed.clear()
        try:
            decode_with(openjph.OpenJPH(), broken, wanted, HTJ2K_LOSSLESS)
        except NotAcceptable:
            noticed += bool(swallowed)
        else:
            assert not swallowed
    assert noticed


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("allocated", [8, 16])
def test_pictures_of_one_value_are_no_errors(allocated: int, signed: bool) -> None:  # noqa: FBT001
    wanted = shape(5, 6, 1, allocated, allocated, signed=signed)
    low, high = range_of(wanted)
    for value in (low, low + 1, -1, 0, 1, 1 << (allocated - 1), high):
        cells = np.full((5, 6), max(low, min(high, value))).astype(
            from_native(bytes(wanted.bytes), wanted).dtype
        )
        made = transcode_frame(cells.tobytes(), wanted, NATIVE, HTJ2K_RPCL)
        assert np.array_equal(decode_frame(made.data, made.shape, HTJ2K_RPCL).cells, cells)
        assert np.array_equal(decode_reduced(made.data, 1, made.shape), cells)
        assert (decode_reduced(made.data, 4, made.shape) == cells[0, 0]).all()


@pytest.mark.parametrize("syntax", [HTJ2K_RPCL, JPEG_2000_LOSSLESS, JPEG_LS])
def test_frames_that_end_early_are_refused(syntax: str) -> None:
    """Decoders fill up what is missing; CharLS takes seconds before it finds out."""
    wanted = shape(40, 30, stored=16)
    frame = transcode_frame(content(wanted, "ramp"), wanted, NATIVE, syntax).data
    for end in range(0, len(frame) - 1, 7):
        with pytest.raises(NotAcceptable):
            decode_frame(frame[:end], wanted, syntax)


def test_jpeg_lossless_without_sign_is_sign_extended() -> None:
    """Stream of 12 bits without a sign, data set that says signed: two's complement of 12 bits."""
    wanted = shape(8, 8, stored=12, signed=True)
    cells = from_native(content(wanted, "extremes"), wanted)
    data = bytes(imagecodecs.ljpeg_encode(cells.view(np.uint16) & 0xFFF, bitspersample=12))
    assert codestream.read(data).precision == 12
    assert np.array_equal(decode_frame(data, wanted, JPEG_LOSSLESS_SV1).cells, cells)


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL", "YBR_FULL_422"])
@pytest.mark.parametrize("held", ["RGB", "YCBCR"])
def test_jpeg_says_itself_which_colours_it_holds(photometric: str, held: str) -> None:
    """JFIF is YCbCr, an Adobe flag of 0 is RGB, whatever the data set is called."""
    wanted = shape(16, 16, 3, 8, 8, photometric=photometric)
    red = np.full((16, 16, 3), (250, 20, 10), np.uint8)
    data = imagecodecs.jpeg8_encode(red, 98, colorspace="RGB", outcolorspace=held, subsampling="444")
    picture = decode_frame(bytes(data), wanted, JPEG_BASELINE)
    assert picture.shape.photometric == "RGB"
    assert np.abs(picture.cells.astype(int) - red).max() <= 4


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_422", "YBR_PARTIAL_420"])
def test_colours_of_partial_range_are_refused(photometric: str) -> None:
    grey = np.full((16, 16, 3), 128, np.uint8)
    data = bytes(imagecodecs.jpeg8_encode(grey, 98, colorspace="RGB", outcolorspace="YCBCR"))
    with pytest.raises(NotAcceptable):
        decode_frame(data, shape(16, 16, 3, 8, 8, photometric=photometric), JPEG_BASELINE)
