"""Pixels made ready for a network."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ai_routing.pictures import fitted, prepare

RAMP = np.tile(np.linspace(-1000, 3000, 256, dtype=np.float32), (256, 1))


@given(
    arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(width=32)),
    st.integers(1, 24),
    st.integers(1, 24),
    st.booleans(),
)
def test_always_a_picture(
    pixels: "np.ndarray[tuple[int, int], np.dtype[np.float32]]",
    rows: int,
    columns: int,
    inverted: bool,  # noqa: FBT001
) -> None:
    picture = prepare(pixels, rows, columns, inverted=inverted)
    assert picture.shape == (rows, columns)
    assert picture.dtype == np.float32
    assert ((picture >= 0) & (picture <= 1)).all()


def test_neither_scale_nor_exposure_matters() -> None:
    assert prepare(RAMP * 0.25 + 77, 32, 32) == pytest.approx(prepare(RAMP, 32, 32), abs=1e-4)


def test_inverted_pictures_look_like_the_others() -> None:
    assert prepare(4095 - RAMP, 32, 32, inverted=True) == pytest.approx(prepare(RAMP, 32, 32), abs=1e-4)


def test_sides_stay_in_proportion_in_the_middle_of_black() -> None:
    picture = prepare(np.tile(RAMP[:, 128:], (2, 1)), 64, 64)  # 512 x 128
    assert (picture[:, :24] == 0).all()
    assert (picture[:, 40:] == 0).all()
    assert picture[:, 24:40].mean() == pytest.approx(0.5, abs=0.02)


def test_pixels_are_averaged_by_the_area_they_cover() -> None:
    """Three columns on two: each takes one and a half."""
    pixels = np.array([[0, 4, 8]], np.float32).repeat(3, axis=0)
    assert prepare(pixels, 2, 2).tolist() == [[0, 1], [0, 1]]
    whole = np.random.default_rng(0).random((90, 60), np.float32)
    by_blocks = whole.reshape(30, 3, 20, 3).mean((1, 3))
    assert prepare(whole, 30, 20) == pytest.approx(prepare(by_blocks, 30, 20), abs=1e-4)


def test_an_even_picture_is_black() -> None:
    assert not prepare(np.full((9, 9), 1234, np.float32), 4, 4).any()


@pytest.mark.parametrize(
    ("shape", "size"),
    [((3000, 2000), (64, 43)), ((2000, 3000), (43, 64)), ((64, 64), (64, 64)), ((1, 5000), (1, 64))],
)
def test_the_size_it_takes(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert fitted(shape, 64, 64) == size
