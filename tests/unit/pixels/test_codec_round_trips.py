"""Everything that is encoded comes back sample for sample, and every bit of every cell with it."""

import numpy as np
import pytest
from hypothesis import given, settings

from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.pixels import registry, samples, syntaxes
from pacs.pixels.convert import decode_frame, decode_with, encode_frame, prove, transcode_frame
from pacs.pixels.shape import FrameShape
from tests.unit.pixels.frame_population import CONTENTS, content, frames, shape

LOSSLESS = sorted(registry.encodable() - syntaxes.NATIVE)
NATIVE = uids.EXPLICIT_LE


def test_what_is_written() -> None:
    assert set(LOSSLESS) == {
        uids.RLE,
        syntaxes.JPEG_LS,
        syntaxes.JPEG_2000_LOSSLESS,
        syntaxes.HTJ2K_LOSSLESS,
        syntaxes.HTJ2K_RPCL,
    }


def there_and_back(frame: bytes, wanted: FrameShape, syntax: str) -> None:
    picture = decode_frame(frame, wanted, NATIVE)
    made = encode_frame(picture, syntax, verify=False)
    for codec in registry.decoders(syntax):
        again = decode_with(codec, made.data, made.shape, syntax)
        assert again.cells.dtype == picture.cells.dtype
        assert np.array_equal(again.cells, picture.cells), codec.engine
        assert again.shape == picture.shape
        assert samples.to_native(again.cells) == frame
    assert transcode_frame(made.data, made.shape, syntax, NATIVE).data == frame


@pytest.mark.parametrize("syntax", LOSSLESS)
@settings(max_examples=60, deadline=None)
@given(drawn=frames())
def test_round_trip(syntax: str, drawn: tuple[bytes, FrameShape]) -> None:
    there_and_back(*drawn, syntax)


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("stored", range(1, 17))
def test_every_depth(syntax: str, stored: int, signed: bool) -> None:  # noqa: FBT001
    for number, kind in enumerate(CONTENTS):
        allocated = 8 if stored <= 8 and number % 2 else 16
        wanted = shape(13, 11, 1 + 2 * (number % 3 == 0), allocated, stored, signed=signed)
        there_and_back(content(wanted, kind, stored), wanted, syntax)


@settings(max_examples=25, deadline=None)
@given(drawn=frames((32,)))
def test_32_bits_are_kept_by_rle_and_refused_by_the_others(drawn: tuple[bytes, FrameShape]) -> None:
    there_and_back(*drawn, uids.RLE)
    for syntax in set(LOSSLESS) - {uids.RLE}:
        with pytest.raises(NotAcceptable):
            transcode_frame(*drawn, NATIVE, syntax)


@settings(max_examples=40, deadline=None)
@given(drawn=frames())
def test_from_one_to_the_next_around(drawn: tuple[bytes, FrameShape]) -> None:
    frame, wanted = drawn
    data, now = frame, wanted
    for source, target in zip([NATIVE, *LOSSLESS], [*LOSSLESS, NATIVE], strict=True):
        made = transcode_frame(data, now, source, target)
        data, now = made.data, made.shape
    assert (data, now) == (frame, wanted)


@settings(max_examples=30, deadline=None)
@given(drawn=frames())
def test_the_second_decoder_proves_and_notices(drawn: tuple[bytes, FrameShape]) -> None:
    picture = decode_frame(*drawn, NATIVE)
    for syntax in (uids.RLE, syntaxes.HTJ2K_LOSSLESS, syntaxes.HTJ2K_RPCL):
        made = encode_frame(picture, syntax)
        assert prove(made, picture.cells, syntax)
        other = picture.cells.copy()
        other.flat[-1] ^= 1
        assert not prove(made, other, syntax)


@pytest.mark.parametrize("syntax", [syntaxes.JPEG_LS, syntaxes.JPEG_2000_LOSSLESS])
def test_nothing_proves_where_there_is_no_second_engine(syntax: str) -> None:
    picture = decode_frame(content(shape(), "noise"), shape(), NATIVE)
    with pytest.raises(NotAcceptable, match="second"):
        prove(encode_frame(picture, syntax), picture.cells, syntax)


def test_colour_by_plane_is_read_by_pixel() -> None:
    by_pixel = shape(samples=3, allocated=8, stored=8)
    by_plane = shape(samples=3, allocated=8, stored=8, planar=1)
    frame = content(by_pixel, "noise")
    planes = np.frombuffer(frame, np.uint8).reshape(5, 7, 3).transpose(2, 0, 1).tobytes()
    for syntax in LOSSLESS:
        made = transcode_frame(planes, by_plane, NATIVE, syntax)
        assert made.shape.planar == 0
        assert transcode_frame(made.data, made.shape, syntax, NATIVE).data == frame


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("photometric", ["YBR_FULL", "PALETTE COLOR", "MONOCHROME1"])
def test_colours_that_are_not_rgb_keep_their_name(syntax: str, photometric: str) -> None:
    coloured = 3 if photometric == "YBR_FULL" else 1
    wanted = shape(samples=coloured, allocated=8, stored=8, photometric=photometric)
    made = transcode_frame(content(wanted, "noise"), wanted, NATIVE, syntax)
    assert made.shape.photometric == photometric
    assert transcode_frame(made.data, made.shape, syntax, NATIVE).data == content(wanted, "noise")


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_rgb_is_named_for_its_component_transform(syntax: str) -> None:
    wanted = shape(samples=3, allocated=8, stored=8)
    made = transcode_frame(content(wanted, "noise"), wanted, NATIVE, syntax)
    transformed = syntax in syntaxes.JPEG_2000_FAMILY
    assert made.shape.photometric == ("YBR_RCT" if transformed else "RGB")


REFUSED = {
    "bits": shape(allocated=1, stored=1),
    "twelve bits packed": shape(allocated=12),
    "double": shape(allocated=64, stored=64),
    "four samples": shape(samples=4, photometric="ARGB"),
    "no rows": shape(rows=0),
    "half the chroma": shape(samples=3, allocated=8, stored=8, photometric="YBR_FULL_422"),
    "colours that nobody knows": shape(samples=3, allocated=8, stored=8, photometric="HSV"),
    "a transform that native data cannot have": shape(
        samples=3, allocated=8, stored=8, photometric="YBR_ICT"
    ),
}


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("what", REFUSED)
def test_refused(syntax: str, what: str) -> None:
    with pytest.raises(NotAcceptable):
        transcode_frame(bytes(REFUSED[what].bytes), REFUSED[what], NATIVE, syntax)


@pytest.mark.parametrize("syntax", sorted(syntaxes.LOSSY | {syntaxes.JPEG_2000, syntaxes.HTJ2K, "1.2.3"}))
def test_nothing_is_encoded_with_loss(syntax: str) -> None:
    with pytest.raises(NotAcceptable):
        transcode_frame(content(shape(), "noise"), shape(), NATIVE, syntax)


def test_native_to_native_is_the_same_frame() -> None:
    half = shape(samples=3, allocated=8, stored=8, photometric="YBR_FULL_422")
    assert transcode_frame(b"any", half, NATIVE, uids.IMPLICIT_LE).data == b"any"
