"""Words burned into a picture, in its upper corners. Pillow's own font has the letters of ASCII."""

import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from pacs.errors import NotAcceptable

Screen = NDArray[np.uint8]
_SMALLEST: Final = 8  # pixels
_LARGEST: Final = 48
_LINE: Final = 1.25
# Letters that Unicode does not take apart into a base and a mark.
_BASES: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
    | {"đ": "d", "Đ": "D", "\u0131": "i", "þ": "th", "Þ": "Th", "ð": "d", "µ": "u", "·": "-", "°": " deg"}
)


def lettered(picture: Screen, left: Sequence[str], right: Sequence[str]) -> Screen:
    """Lines of white on a dark edge, upper left and upper right. Raises NotAcceptable where they do not
    fit or cannot be drawn: nobody gets a picture without the words that they asked for."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    columns = [plain(line) for line in left], [plain(line) for line in right]
    font = _fitting(image.size, *columns)
    draw = ImageDraw.Draw(image)
    margin, step = font.size / 2, font.size * _LINE
    places = ((margin, "la"), (image.width - margin, "ra"))
    white, black = ("white", "black") if image.mode == "RGB" else (255, 0)
    for lines, (across, anchor) in zip(columns, places, strict=True):
        for number, line in enumerate(lines):
            place = (across, margin + number * step)
            draw.text(
                place, line, fill=white, font=font, anchor=anchor, stroke_width=max(1, font.size // 10),
                stroke_fill=black,
            )  # fmt: skip
    return np.asarray(image, np.uint8)


def plain(text: str) -> str:
    """In ASCII. Raises NotAcceptable for other scripts."""
    apart = unicodedata.normalize("NFKD", text.translate(_BASES))
    kept = "".join(char for char in apart if not unicodedata.combining(char))
    if not kept.isascii() or not kept.isprintable():
        raise NotAcceptable(
            "the annotation has letters that cannot be drawn", hint="leave out annotation; it is in /metadata"
        )
    return kept


def _fitting(size: tuple[int, int], left: Sequence[str], right: Sequence[str]) -> Any:
    """The largest font in which the lines keep clear of each other and of the edges."""
    width, height = size
    rows = max(len(left), len(right))
    points = max(_SMALLEST, min(_LARGEST, height // 32))
    while points >= _SMALLEST:
        font: Any = ImageFont.load_default(points)
        across = sum(max(map(font.getlength, lines), default=0) for lines in (left, right))
        if across + 2 * points <= width and (rows * _LINE + 1) * points <= height:
            return font
        points -= 1
    raise NotAcceptable("the picture is too small for its annotation", hint="ask for a larger viewport")
