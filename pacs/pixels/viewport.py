"""Which part of a picture is shown, how large (PS3.18 8.3.5.1.3)."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pacs.errors import Invalid
from pacs.pixels.codecs import pillow
from pacs.pixels.codecs.raster import Screen


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in pixels of the whole frame; fractions count. The flips mirror it."""

    left: float
    top: float
    width: float
    height: float
    flip_across: bool = False
    flip_down: bool = False

    def within(self, columns: int, rows: int) -> Self:
        """What of it lies on the picture. Raises Invalid when nothing does."""
        left, top = max(0.0, self.left), max(0.0, self.top)
        right = min(float(columns), self.left + self.width)
        bottom = min(float(rows), self.top + self.height)
        if right <= left or bottom <= top:
            raise Invalid("the region of the viewport lies outside the picture")
        return type(self)(left, top, right - left, bottom - top, self.flip_across, self.flip_down)


@dataclass(frozen=True, slots=True)
class Viewport:
    """At most `width` x `height` pixels, of `region` or of the whole picture. `enlarge`: a smaller
    picture is made to fill it, too."""

    width: int
    height: int
    region: Region | None = None
    enlarge: bool = True

    def of(self, columns: int, rows: int) -> Region:
        """The region in a frame of this size. Raises Invalid."""
        whole = Region(0.0, 0.0, float(columns), float(rows))
        return whole if self.region is None else self.region.within(columns, rows)

    def size(self, columns: float, rows: float) -> tuple[int, int]:
        """Columns and rows to show a region of this size in, its aspect kept."""
        scale = min(self.width / columns, self.height / rows)
        if not self.enlarge:
            scale = min(1.0, scale)
        return max(1, round(columns * scale)), max(1, round(rows * scale))


def wanted_size(viewport: Viewport | None, columns: int, rows: int) -> tuple[int, int]:
    """Size of the whole frame, of which no more is needed to fill the viewport."""
    if viewport is None:
        return columns, rows
    region = viewport.of(columns, rows)
    across, down = viewport.size(region.width, region.height)
    return (
        min(columns, round(columns * across / region.width)),
        min(rows, round(rows * down / region.height)),
    )


def show(picture: Screen, viewport: Viewport | None, columns: int, rows: int) -> Screen:
    """`picture` is the frame of `columns` x `rows`, or a smaller resolution of it. Raises Invalid."""
    if viewport is None:
        return picture
    region = viewport.of(columns, rows)
    size = viewport.size(region.width, region.height)
    across, down = picture.shape[1] / columns, picture.shape[0] / rows
    box = (
        region.left * across,
        region.top * down,
        min(picture.shape[1], (region.left + region.width) * across),
        min(picture.shape[0], (region.top + region.height) * down),
    )
    if (*size, *box) != (picture.shape[1], picture.shape[0], 0, 0, picture.shape[1], picture.shape[0]):
        picture = pillow.resample(picture, *size, box)
    if region.flip_across:
        picture = np.flip(picture, 1)
    return np.flip(picture, 0) if region.flip_down else picture
