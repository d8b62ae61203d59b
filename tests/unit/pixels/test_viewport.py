"""Which part is shown, how large (PS3.18 8.3.5.1.3)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacs.errors import Invalid
from pacs.pixels.viewport import Region, Viewport, show, wanted_size

SIDES = st.integers(1, 400)


@settings(max_examples=300, deadline=None)
@given(columns=SIDES, rows=SIDES, width=SIDES, height=SIDES, enlarge=st.booleans())
def test_it_fits_and_keeps_its_aspect(
    columns: int, rows: int, width: int, height: int, *, enlarge: bool
) -> None:
    across, down = Viewport(width, height, enlarge=enlarge).size(columns, rows)
    assert 1 <= across <= width
    assert 1 <= down <= height
    scale = min(width / columns, height / rows)
    scale = scale if enlarge else min(scale, 1)
    assert abs(across - columns * scale) <= 1
    assert abs(down - rows * scale) <= 1
    shown = show(np.zeros((rows, columns), np.uint8), Viewport(width, height, enlarge=enlarge), columns, rows)
    assert shown.shape == (down, across)


def test_smaller_is_the_mean_of_the_area() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 96)).astype(np.uint8)
    expected = picture.reshape(16, 4, 24, 4).mean(axis=(1, 3))
    shown = show(picture, Viewport(24, 16), 96, 64)
    assert np.abs(shown - expected).max() <= 1


def test_a_region_is_cut_out_and_mirrored() -> None:
    picture = np.arange(100, dtype=np.uint8).reshape(10, 10)
    part = Region(2, 3, 4, 5)
    assert np.array_equal(show(picture, Viewport(4, 5, part), 10, 10), picture[3:8, 2:6])
    for across, down in ((True, False), (False, True), (True, True)):
        mirrored = Region(2, 3, 4, 5, across, down)
        expected = picture[3:8, 2:6][:: -1 if down else 1, :: -1 if across else 1]
        assert np.array_equal(show(picture, Viewport(4, 5, mirrored), 10, 10), expected)


def test_a_region_beyond_the_edge_ends_there() -> None:
    assert Region(8, 8, 100, float("inf")).within(10, 9) == Region(8, 8, 2, 1)
    for outside in (Region(10, 0, 5, 5), Region(0, 9.5, 5, 5), Region(-7, 0, 7, 5)):
        with pytest.raises(Invalid):
            outside.within(10, 9)


def test_the_same_from_a_smaller_resolution() -> None:
    """Coordinates are those of the whole frame, whatever was decoded."""
    rows, columns = np.mgrid[:256, :256]
    picture = ((rows + columns) // 2).astype(np.uint8)
    quarter = picture.reshape(64, 4, 64, 4).mean(axis=(1, 3)).astype(np.uint8)
    port = Viewport(16, 16, Region(64, 96, 64, 64))
    from_whole = show(picture, port, 256, 256).astype(int)
    assert np.abs(from_whole - show(quarter, port, 256, 256)).max() <= 2


@settings(max_examples=200, deadline=None)
@given(columns=SIDES, rows=SIDES, width=SIDES, height=SIDES, left=st.floats(0, 1), share=st.floats(0.01, 1))
def test_no_more_is_needed_than_fills_the_viewport(
    columns: int, rows: int, width: int, height: int, left: float, share: float
) -> None:
    region = Region(left * columns * 0.9, 0, max(1, share * columns), rows)
    port = Viewport(width, height, region)
    needed = wanted_size(port, columns, rows)
    assert needed[0] <= columns
    assert needed[1] <= rows
    cut = port.of(columns, rows)
    across, down = port.size(cut.width, cut.height)
    if across < cut.width and down < cut.height:  # shrinking: the part has at least as many pixels
        assert needed[0] * cut.width / columns >= across - 1
        assert needed[1] * cut.height / rows >= down - 1


def test_without_a_viewport_nothing_changes() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert show(picture, None, 4, 3) is picture
    assert np.array_equal(show(picture, Viewport(4, 3), 4, 3), picture)
    assert wanted_size(None, 4, 3) == (4, 3)
