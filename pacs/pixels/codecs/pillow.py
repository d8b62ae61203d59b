"""What Pillow is used for: resampling 8-bit pictures, YCbCr to RGB, a word in a picture."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Screen = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the source; fractions count."""
_REDUCING_GAP = 3.0


def ycc_to_rgb(picture: Screen) -> Screen:
    """Full range YCbCr of ITU-R BT.601 (PS3.3 C.7.6.3.1.2)."""
    size = (picture.shape[1], picture.shape[0])
    ycc = Image.frombuffer("YCbCr", size, picture.tobytes(), "raw", "YCbCr", 0, 1)
    return np.asarray(ycc.convert("RGB"))


def resample(picture: Screen, columns: int, rows: int, box: Box) -> Screen:
    """`box` of the picture in another size. Smaller is the mean of the area, larger is smooth."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    left, top, right, bottom = map(round, box)
    across, down = (right - left) // columns, (bottom - top) // rows
    if (left, top, left + across * columns, top + down * rows) == box and across > 0 < down:
        return np.asarray(image.reduce((across, down), (left, top, right, bottom)))  # whole pixels: faster
    smaller = columns <= box[2] - box[0] and rows <= box[3] - box[1]
    method = Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC
    return np.asarray(image.resize((columns, rows), method, box, _REDUCING_GAP if smaller else None))


def labelled(columns: int, rows: int, text: str, ground: int, ink: int) -> Screen:
    """A plain grey picture with a word amid it, as large as fits."""
    image = Image.new("L", (columns, rows), ground)
    if text:
        draw = ImageDraw.Draw(image)
        size = max(6.0, min(rows / 3, columns * 1.2 / len(text)))
        font: Any = ImageFont.load_default(size)
        draw.text((columns / 2, rows / 2), text, fill=ink, font=font, anchor="mm")
    return np.asarray(image)
