"""Values of interest: which part of the range is spread over the grey scale (PS3.3 C.11.2)."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


class Function(StrEnum):
    """VOI LUT Function (C.11.2.1.3), by its words of PS3.18 8.3.5.1.4."""

    LINEAR = "linear"
    LINEAR_EXACT = "linear-exact"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class Window:
    """In the unit that the modality LUT puts out. `width` is above 0, with LINEAR at least 1."""

    center: float
    width: float
    function: Function = Function.LINEAR

    @property
    def valid(self) -> bool:
        """C.11.2.1.2.1, C.11.2.1.3.2."""
        least = 1.0 if self.function is Function.LINEAR else math.ulp(0.0)
        return math.isfinite(self.center) and math.isfinite(self.width) and self.width >= least


def lenient(center: float, width: float, function: str) -> Window | None:
    """A window as an object states it. One narrower than a step cannot be LINEAR, but is meant as it
    stands: values of a positron emission image are often far below 1. None when it says nothing."""
    wanted = {"LINEAR_EXACT": Function.LINEAR_EXACT, "SIGMOID": Function.SIGMOID}.get(
        function, Function.LINEAR
    )
    if wanted is Function.LINEAR and width < 1:
        wanted = Function.LINEAR_EXACT
    window = Window(center, width, wanted)
    return window if window.valid else None


def between(low: float, high: float) -> Window:
    """Black at `low` and below, white at `high` and above. They must differ."""
    return Window((low + high) / 2, high - low, Function.LINEAR_EXACT)


def windowed(values: NDArray[Any], window: Window) -> Values:
    """From 0.0 (black) to 1.0 (white), before any inversion."""
    x = values.astype(np.float64)
    center, width = window.center, window.width
    match window.function:
        case Function.SIGMOID:
            with np.errstate(over="ignore"):  # far outside it is 0
                return np.asarray(1.0 / (1.0 + np.exp(-4.0 * (x - center) / width)))
        case Function.LINEAR_EXACT:
            return np.clip((x - center) / width + 0.5, 0.0, 1.0)
        case Function.LINEAR:
            if width == 1:
                return np.where(x <= center - 0.5, 0.0, 1.0)
            return np.clip((x - (center - 0.5)) / (width - 1) + 0.5, 0.0, 1.0)
