"""Frames made in memory: every depth, sign and number of samples, odd sizes, extremes."""

import numpy as np
from hypothesis import strategies as st

from pacs.pixels.samples import Cells
from pacs.pixels.shape import FrameShape

SIZES = st.one_of(st.integers(1, 9), st.sampled_from([31, 64, 65, 70, 129]))


def shape(
    rows: int = 5,
    columns: int = 7,
    samples: int = 1,
    allocated: int = 16,
    stored: int = 12,
    *,
    signed: bool = False,
    photometric: str = "",
    planar: int = 0,
) -> FrameShape:
    return FrameShape(
        rows,
        columns,
        samples,
        allocated,
        stored,
        stored - 1,
        signed,
        planar,
        photometric or ("RGB" if samples == 3 else "MONOCHROME2"),
    )


def range_of(wanted: FrameShape) -> tuple[int, int]:
    if wanted.signed:
        return -(1 << (wanted.bits_stored - 1)), (1 << (wanted.bits_stored - 1)) - 1
    return 0, (1 << wanted.bits_stored) - 1


@st.composite
def shapes(draw: st.DrawFn, allocated: tuple[int, ...] = (8, 16)) -> FrameShape:
    bits = draw(st.sampled_from(allocated))
    return shape(
        draw(SIZES),
        draw(SIZES),
        draw(st.sampled_from([1, 1, 3])),
        bits,
        draw(st.integers(1, bits)),
        signed=draw(st.booleans()),
    )


@st.composite
def frames(draw: st.DrawFn, allocated: tuple[int, ...] = (8, 16)) -> tuple[bytes, FrameShape]:
    """A native frame: its kind of content is drawn, not every sample, which keeps it fast."""
    wanted = draw(shapes(allocated))
    return content(wanted, draw(st.sampled_from(CONTENTS)), draw(st.integers(0, 1 << 16))), wanted


CONTENTS = ("noise", "lowest", "highest", "extremes", "ramp", "whole cells")


def content(wanted: FrameShape, kind: str, seed: int = 0) -> bytes:
    low, high = range_of(wanted)
    rng = np.random.default_rng(seed)
    values: Cells
    match kind:
        case "lowest":
            values = np.full(wanted.cells, low)
        case "highest":
            values = np.full(wanted.cells, high)
        case "extremes":
            values = np.where(rng.random(wanted.cells) < 0.5, low, high)
        case "ramp":
            values = low + np.arange(wanted.cells) % (high - low + 1)
        case "whole cells":  # bits above Bits Stored in use, as overlays did
            return rng.bytes(wanted.bytes)
        case _:
            values = rng.integers(low, high, wanted.cells, endpoint=True)
    return (
        values.astype(f"<i{max(2, wanted.bits_allocated // 8)}" if wanted.signed else "<u8")
        .astype(f"<{'i' if wanted.signed else 'u'}{wanted.bits_allocated // 8}")
        .tobytes()
    )
