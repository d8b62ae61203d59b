"""Decoded pixels as a network wants them: one size, one range, bright where little came through."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

_DARKEST, _BRIGHTEST = 1.0, 99.0  # percentiles that become 0 and 1
_MOST = np.float32(1e30)


def prepare(pixels: Pixels, rows: int, columns: int, *, inverted: bool = False) -> Pixels:
    """(rows, columns), 0 to 1: averaged down, its sides in proportion, in the middle of black.

    The darkest and brightest hundredth of the pixels are cut off, so that neither exposure nor
    what the values mean matters. `inverted` is MONOCHROME1, where great values are dark."""
    height, width = fitted(pixels.shape, rows, columns)
    finite = np.clip(np.nan_to_num(pixels), -_MOST, _MOST)
    small = _averages(height, pixels.shape[0]) @ finite @ _averages(width, pixels.shape[1]).T
    low, high = np.percentile(small, (_DARKEST, _BRIGHTEST))
    spread = np.clip((small - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    picture = np.zeros((rows, columns), np.float32)
    top, left = (rows - height) // 2, (columns - width) // 2
    picture[top : top + height, left : left + width] = 1.0 - spread if inverted else spread
    return picture


def fitted(shape: tuple[int, ...], rows: int, columns: int) -> tuple[int, int]:
    """Height and width of the whole picture inside `rows` x `columns`."""
    height, width = shape
    scale = min(rows / height, columns / width)
    return min(rows, max(1, round(height * scale))), min(columns, max(1, round(width * scale)))


def _averages(few: int, many: int) -> Pixels:
    """(few, many): each row averages the share of `many` cells that falls on one of `few`."""
    step = many / few
    start = np.arange(few)[:, np.newaxis] * step
    cell = np.arange(many)
    share = np.minimum(start + step, cell + 1) - np.maximum(start, cell)
    return np.asarray(np.clip(share, 0.0, None) / step, np.float32)
