"""The query parameters that say how a picture is wanted (PS3.18 8.3.5). A wrong one is 400, never
another picture than the one that was asked for."""

import math
import re
from collections.abc import Mapping
from typing import Final

from pacs.errors import Invalid
from pacs.retrieve.view import (
    QUALITY,
    Annotation,
    Form,
    Function,
    Region,
    Space,
    View,
    Viewport,
    Window,
)

LARGEST_SIDE: Final = 8192
"""Pixels of a viewport."""
_LARGEST_AREA: Final = 1 << 25
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL: Final = re.compile(
    r"[+-]?([0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?", re.ASCII
)
MOST_FRAMES: Final = 1000
"""Pictures of one answer."""


def view(asked: Mapping[str, str], form: Form) -> View:
    """Raises Invalid."""
    return View(
        form,
        _quality(asked.get("quality")),
        _window(asked.get("window")),
        viewport(asked.get("viewport")),
        _annotations(asked.get("annotation")),
        _space(asked.get("iccprofile"), form),
    )


def viewport(text: str | None, *, enlarge: bool = True) -> Viewport | None:
    """`vw,vh` or `vw,vh,sx,sy,sw,sh` (8.3.5.1.3). Raises Invalid."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in {2, 6} or not all(_WHOLE.fullmatch(part) for part in parts[:2]):
        raise _wrong_viewport()
    width, height = int(parts[0]), int(parts[1])
    if not 1 <= width <= LARGEST_SIDE or not 1 <= height <= LARGEST_SIDE or width * height > _LARGEST_AREA:
        raise Invalid(f"a viewport has sides of 1 to {LARGEST_SIDE} and at most {_LARGEST_AREA} pixels")
    return Viewport(width, height, _region(parts[2:]), enlarge)


def _region(parts: list[str]) -> Region | None:
    """An empty number is its default: the corner, or what the frame has from there. A negative width
    or height mirrors."""
    if not any(parts):
        return None
    left, top = (_decimal(part, 0.0) for part in parts[:2])
    width, height = (_decimal(part, math.inf) for part in parts[2:])
    if left < 0 or top < 0 or not width or not height:
        raise _wrong_viewport()
    return Region(left, top, abs(width), abs(height), width < 0, height < 0)


def _window(text: str | None) -> Window | None:
    """`center,width,function` (8.3.5.1.4); without a function it is linear."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    try:
        function = Function(parts[2].lower()) if len(parts) == 3 else Function.LINEAR
        window = Window(_decimal(parts[0]), _decimal(parts[1]), function)
    except (IndexError, ValueError):
        raise _wrong_window() from None
    if len(parts) > 3 or not window.valid:
        raise _wrong_window()
    return window


def _quality(text: str | None) -> int:
    if text is None:
        return QUALITY
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= 100:
        raise Invalid("quality is a whole number from 1 to 100 (PS3.18 8.3.5.1.2)")
    return int(text)


def _annotations(text: str | None) -> tuple[Annotation, ...]:
    """`patient` and `technique`, either or both (8.3.5.1.1)."""
    if text is None:
        return ()
    words = {word.strip().lower() for word in text.split(",")}
    if not words <= set(Annotation):
        raise Invalid("annotation is patient, technique or both (PS3.18 8.3.5.1.1)")
    return tuple(one for one in Annotation if one in words)


def _space(text: str | None, form: Form) -> Space | None:
    """8.3.5.1.5: a colour profile is given to those only who ask for one."""
    word = (text or "no").lower()
    if word == "no" and text != "":
        return None
    if word not in set(Space) or text == "":
        raise Invalid(f"iccprofile is one of no, {', '.join(Space)} (PS3.18 8.3.5.1.5)")
    if form is Form.GIF:
        raise Invalid("a GIF has no colour profile", hint="ask for image/png or image/jpeg")
    return Space(word)


def _decimal(text: str, default: float | None = None) -> float:
    if not text and default is not None:
        return default
    if not _DECIMAL.fullmatch(text):
        raise Invalid("a number in the query cannot be read")
    return float(text)


def _wrong_viewport() -> Invalid:
    return Invalid(
        "this is no viewport (PS3.18 8.3.5.1.3)",
        hint="viewport=width,height or viewport=width,height,left,top,columns,rows",
    )


def _wrong_window() -> Invalid:
    return Invalid(
        "this is no window (PS3.18 8.3.5.1.4)",
        hint="window=center,width,linear (width from 1), linear-exact or sigmoid (width above 0)",
    )
