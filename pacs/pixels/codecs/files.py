"""Pictures as files that only Pillow writes: with a colour profile, or moving."""

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Screen = NDArray[np.uint8]
_FINE: Final = 90
"""From this quality on colours keep their full resolution."""


def profiled_jpeg(picture: Screen, quality: int, profile: bytes) -> bytes:
    return _saved(
        picture, "JPEG", quality=quality, subsampling=0 if quality >= _FINE else 2, icc_profile=profile
    )


def profiled_png(picture: Screen, profile: bytes) -> bytes:
    return _saved(picture, "PNG", icc_profile=profile)


def gif(pictures: Iterator[Screen], milliseconds: int) -> bytes:
    """One picture, or several that follow one another again and again; all of one size."""
    first = _image(next(pictures))
    buffer = io.BytesIO()
    rest = [_image(picture) for picture in pictures]
    if rest:
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    else:
        first.save(buffer, "GIF")
    return buffer.getvalue()


def _image(picture: Screen) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    return image if image.mode == "L" else image.quantize(dither=Image.Dither.FLOYDSTEINBERG)


def _saved(picture: Screen, form: str, **settings: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, form, **settings)
    return buffer.getvalue()
