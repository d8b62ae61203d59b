"""Draws pictures that look a little like frontal chest radiographs.

They are sums of soft shapes and noise: no patient, no anatomy, no physics. X runs from -1 (left
edge of the picture) to 1, Y from -1 (top) to 1.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

NODULE: Final = "nodule"
PNEUMOTHORAX: Final = "pneumothorax"
FINDINGS: Final = (NODULE, PNEUMOTHORAX)
"""What a picture may show besides nothing."""

_RIBS: Final = 9
_LUNG_HEIGHT: Final = 0.62


@dataclass(frozen=True, slots=True)
class Grid:
    x: Map
    y: Map

    @classmethod
    def of(cls, size: int) -> "Grid":
        line = np.linspace(-1, 1, size, dtype=np.float32)
        return cls(line[np.newaxis, :], line[:, np.newaxis])


@dataclass(frozen=True, slots=True)
class Lung:
    """An ellipse; `side` is -1 on the left of the picture, 1 on the right."""

    side: int
    x: float
    y: float
    width: float
    height: float

    def mask(self, grid: Grid, shrink: float = 1.0) -> Map:
        """1 inside, 0 outside, soft between. Shrunken lungs stay at the hilum, not at the chest wall."""
        x = self.x - self.side * self.width * (1 - shrink)
        y = self.y + 0.25 * self.height * (1 - shrink)
        return _soft(_radius(grid, x, y, self.width * shrink, self.height * shrink), 0.05)


def draw(random: np.random.Generator, finding: str = "", size: int = 1024) -> Map:
    """(size, size), 0 (dark, little in the beam) to 1 (bright). `finding` is one of FINDINGS or empty."""
    grid = Grid.of(size)
    lungs = _lungs(random)
    body = _soft(_radius(grid, 0, 0.35, 0.93, 1.45, power=4), 0.06)
    picture = 0.62 * body
    aerated = lungs[0].mask(grid) + lungs[1].mask(grid)
    picture -= 0.42 * aerated * body
    picture += 0.45 * _vessels(random, size) * aerated
    picture += _middle(random, grid) * body
    if finding == PNEUMOTHORAX:
        picture += _pneumothorax(random, grid, lungs[random.integers(2)])
    picture += _bones(random, grid) * body
    if finding == NODULE:
        picture += _nodule(random, grid, lungs[random.integers(2)])
    return _exposed(random, picture)


def _lungs(random: np.random.Generator) -> tuple[Lung, Lung]:
    middle, top, width = random.normal(0, 0.02), random.normal(0, 0.03), random.uniform(0.27, 0.34)
    height = _LUNG_HEIGHT * random.uniform(0.92, 1.08)

    def lung(side: int) -> Lung:
        return Lung(side, middle + side * random.uniform(0.42, 0.46), top - 0.08, width, height)

    return lung(-1), lung(1)


def _middle(random: np.random.Generator, grid: Grid) -> Map:
    """Spine, mediastinum, heart and what lies below the diaphragm."""
    spine = 0.14 * np.exp(-((grid.x / 0.13) ** 4))
    wide = random.uniform(0.27, 0.36)
    heart = 0.3 * _soft(_radius(grid, 0.13, 0.3, wide, 0.29), 0.12)
    dome = random.uniform(0.4, 0.5) + 0.35 * (np.abs(grid.x) - 0.45) ** 2
    below = 0.3 * _sigmoid((grid.y - dome) / 0.03)
    return np.asarray(spine + np.maximum(heart, below), np.float32)


def _bones(random: np.random.Generator, grid: Grid) -> Map:
    """Ribs that fall away from the spine, and the collar bones."""
    bones = np.zeros((grid.y.size, grid.x.size), np.float32)
    strong, step = random.uniform(0.05, 0.09), random.uniform(0.135, 0.155)
    across = np.abs(grid.x)
    for number in range(_RIBS):
        course = -0.86 + number * step + 0.55 * across**2 - 0.28 * across
        bones += strong * np.exp(-(((grid.y - course) / 0.022) ** 4))
    collar = -0.74 - 0.12 * across
    bones += 1.2 * strong * np.exp(-(((grid.y - collar) / 0.03) ** 4))
    return bones


def _vessels(random: np.random.Generator, size: int) -> Map:
    """Smooth texture, about -0.1 to 0.1."""
    texture = np.zeros((size, size), np.float32)
    for cells in (12, 24, 48):
        coarse = random.normal(0, 0.06, (cells, cells)).astype(np.float32)
        spread = _spread(cells, size)
        texture += spread @ coarse @ spread.T
    return texture


def _nodule(random: np.random.Generator, grid: Grid, lung: Lung) -> Map:
    """A round shadow somewhere in a lung, 3 to 7 % of the picture's width in radius."""
    angle, out = random.uniform(0, 2 * np.pi), random.uniform(0, 0.65)
    x = lung.x + lung.side * 0.06 + out * lung.width * np.cos(angle)
    y = lung.y - 0.08 + out * 0.75 * lung.height * np.sin(angle)
    radius = random.uniform(0.06, 0.14)
    return np.asarray(random.uniform(0.2, 0.34) * _soft(_radius(grid, x, y, radius, radius), 0.3), np.float32)


def _pneumothorax(random: np.random.Generator, grid: Grid, lung: Lung) -> Map:
    """Dark without vessels between chest wall and collapsed lung, whose edge is a thin bright line."""
    shrink = random.uniform(0.62, 0.8)
    whole, collapsed = lung.mask(grid), lung.mask(grid, shrink)
    free = whole * (1 - collapsed)
    edge = np.clip(4 * collapsed * (1 - collapsed), 0, 1) * whole
    return np.asarray(-random.uniform(0.13, 0.2) * free + 0.1 * collapsed + 0.08 * edge, np.float32)


def _exposed(random: np.random.Generator, picture: Map) -> Map:
    """As a detector has it: some more or less exposed, none without noise."""
    brightness, contrast = random.normal(0.04, 0.03), random.uniform(0.8, 1.05)
    noise = random.normal(0, random.uniform(0.004, 0.02), picture.shape).astype(np.float32)
    return np.asarray(np.clip(brightness + contrast * picture + noise, 0, 1), np.float32)


def _radius(grid: Grid, x: float, y: float, width: float, height: float, power: int = 2) -> Map:
    """1 on the (super)ellipse, less inside."""
    grown = np.abs((grid.x - x) / width) ** power + np.abs((grid.y - y) / height) ** power
    return np.asarray(grown ** (1 / power), np.float32)


def _soft(radius: Map, edge: float) -> Map:
    return _sigmoid((1 - radius) / (edge / 2))


def _sigmoid(value: NDArray[np.floating]) -> Map:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -30, 30))), np.float32)


def _spread(cells: int, size: int) -> Map:
    """(size, cells) weights that interpolate between cells."""
    at = np.linspace(0, cells - 1, size, dtype=np.float32)[:, np.newaxis]
    return np.asarray(np.clip(1 - np.abs(at - np.arange(cells)), 0, 1), np.float32)
