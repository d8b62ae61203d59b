"""No more is read and decoded of a frame than the picture takes; the bytes are counted."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate

from pacs.errors import NotAcceptable
from pacs.pixels import smallest
from pacs.pixels.convert import Picture
from pacs.pixels.render import Look, Screen, render
from pacs.pixels.smallest import FrameBytes
from pacs.pixels.syntaxes import HTJ2K_RPCL
from pacs.pixels.viewport import Viewport, show, wanted_size
from tests.unit.pixels.shown import appearance_of, colour, file_of, grey
from tests.unit.pixels.shown import show as show_whole
from tests.unit.pixels.stored_objects import stored, transcoded
from tests.unit.pixels.test_render import palette


def mammogram(rows: int, columns: int) -> NDArray[Any]:
    """A smooth shape on a dark ground with noise, 12 bits."""
    down, across = np.mgrid[:rows, :columns]
    shape = np.hypot(down - rows / 2, across) < 0.45 * rows
    noise = np.random.default_rng(3).normal(0, 12, (rows, columns))
    texture = 1500 + 600 * np.sin(down / 90) * np.cos(across / 70)
    return np.clip(np.where(shape, texture + noise, 20), 0, 4095).astype(np.uint16)


class Counted:
    """What was read of a file."""

    def __init__(self, file: bytes) -> None:
        self._file = file
        self.bytes = 0

    def read(self, at: int, count: int) -> bytes:
        self.bytes += count
        return self._file[at : at + count]


@cache
def large() -> bytes:
    return transcoded(
        file_of(grey(mammogram(2048, 1536), BitsStored=12, WindowCenter=1500, WindowWidth=3000)), HTJ2K_RPCL
    )


def seen(file: bytes, port: Viewport | None) -> tuple[Screen, Picture, int]:
    each, look, counted = stored(file), appearance_of(file), Counted(file)
    assert each.table is not None
    columns, rows = look.shape.columns, look.shape.rows
    frame = FrameBytes(each.table, 0, counted.read)
    picture = smallest.decode(frame, look, each.transfer_syntax, wanted_size(port, columns, rows))
    whole = render(picture, Look(look, 1, lambda _: b""))
    return show(whole, port, columns, rows), picture, counted.bytes


@pytest.mark.parametrize(
    ("edge", "factor", "share"),
    [(256, 8, 0.04), (512, 4, 0.12), (513, 2, 0.4), (1024, 2, 0.4), (1025, 1, 1.0)],
)
def test_a_viewport_takes_the_smallest_resolution_that_fills_it(edge: int, factor: int, share: float) -> None:
    file = large()
    shown, picture, count = seen(file, Viewport(edge, edge))
    assert picture.cells.shape == (2048 // factor, 1536 // factor)
    assert count <= share * len(file) + 4096
    expected = show(show_whole(file), Viewport(edge, edge), 1536, 2048)
    assert shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 3  # a wavelet's mean is not a box's


def test_the_first_eighth_of_a_mammogram() -> None:
    """Of 27 MB as it was taken no more than 3 % of what is stored is read."""
    native = file_of(grey(mammogram(4096, 3328), BitsStored=12, WindowCenter=1500, WindowWidth=3000))
    assert len(native) > 27_000_000
    file = transcoded(native, HTJ2K_RPCL)
    shown, picture, count = seen(file, Viewport(416, 512))
    assert shown.shape == picture.cells.shape == (512, 416)
    print(f"{count} of {len(file)} bytes, {count / len(file):.2%}")
    assert count <= 0.03 * len(file)


def test_the_whole_picture_is_exact() -> None:
    shown, _, _ = seen(large(), None)
    native = grey(mammogram(2048, 1536), BitsStored=12, WindowCenter=1500, WindowWidth=3000)
    assert np.array_equal(shown, show_whole(file_of(native)))


def test_a_region_takes_the_resolution_that_its_part_needs() -> None:
    from pacs.pixels.viewport import Region

    _, small, _ = seen(large(), Viewport(128, 128, Region(0, 0, 1024, 1024)))
    assert small.cells.shape == (256, 192)
    _, full, _ = seen(large(), Viewport(128, 128, Region(0, 0, 128, 128)))
    assert full.cells.shape == (2048, 1536)


def test_indices_of_a_palette_are_never_mixed() -> None:
    """Between two of them lies another colour, not one between theirs."""
    rng = np.random.default_rng(0)
    indices = np.repeat(np.repeat(rng.integers(0, 2, (32, 32)) * 255, 8, 0), 8, 1).astype(np.uint8)
    entries = np.zeros((256, 3), int)
    entries[0], entries[255], entries[1:255] = (255, 0, 0), (0, 0, 255), (0, 255, 0)
    ds = palette(grey(indices, PhotometricInterpretation="PALETTE COLOR"), 0, entries, 8)
    shown, picture, _ = seen(transcoded(file_of(ds), HTJ2K_RPCL), Viewport(32, 32))
    assert picture.cells.shape == (256, 256)
    assert not shown[..., 1].any()


def test_colours_are_reduced_too() -> None:
    down, across = np.mgrid[:256, :256]
    pixels = np.stack([down, across, 255 - down], axis=-1).astype(np.uint8)
    native = file_of(colour(pixels, "RGB"))
    shown, picture, _ = seen(transcoded(native, HTJ2K_RPCL), Viewport(64, 64))
    assert picture.cells.shape == (64, 64, 3)
    expected = show(show_whole(native), Viewport(64, 64), 256, 256)
    assert np.abs(shown.astype(int) - expected).max() <= 6


def test_a_frame_in_many_fragments_is_one_read() -> None:
    ds = grey(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    file = transcoded(file_of(ds), HTJ2K_RPCL)
    each = stored(file)
    assert each.table is not None
    ((at, length),) = each.table.ranges(0)
    pieces = encapsulate([file[at : at + length]], fragments_per_frame=5, has_bot=False)
    start = file.index(b"\xe0\x7f\x10\x00OB") + 12
    split = file[:start] + pieces + b"\xfe\xff\xdd\xe0\0\0\0\0"
    again = stored(split)
    assert again.table is not None
    assert len(again.table.ranges(0)) == 5
    reads: list[int] = []
    frame = FrameBytes(again.table, 0, lambda p, n: reads.append(n) or split[p : p + n])  # type: ignore[func-returns-value]
    assert frame.whole() == file[at : at + length]
    assert len(reads) == 1
    assert frame.part(0, 10) == file[at : at + 10]
    assert frame.part(0, length - 3) == file[at : at + length - 3]


def test_a_damaged_stream_is_refused() -> None:
    file = bytearray(large())
    each = stored(bytes(file))
    assert each.table is not None
    ((at, length),) = each.table.ranges(0)
    file[at + length // 2 :] = b"\0" * (len(file) - at - length // 2)
    file[at + 200 : at + length] = b"\xff" * (length - 200)
    with pytest.raises(NotAcceptable):
        seen(bytes(file), None)


def test_a_frame_beyond_reason_is_refused() -> None:
    look = appearance_of(large())
    each = stored(large())
    assert each.table is not None
    from dataclasses import replace

    vast = replace(look, shape=replace(look.shape, rows=60_000, columns=60_000))
    with pytest.raises(NotAcceptable, match="size"):
        smallest.decode(FrameBytes(each.table, 0, each.read), vast, each.transfer_syntax, (8, 8))
