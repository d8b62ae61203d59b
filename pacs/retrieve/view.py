"""How a picture is wanted, and the file it becomes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pacs.pixels.codecs import raster
from pacs.pixels.codecs.raster import Screen
from pacs.pixels.viewport import Region, Viewport
from pacs.pixels.voi import Function, Window

QUALITY: Final = 90


class Form(StrEnum):
    """Rendered media types (PS3.18 8.7.4) that can be made."""

    JPEG = "image/jpeg"
    PNG = "image/png"


@dataclass(frozen=True, slots=True)
class View:
    """`quality` from 1 to 100 counts for JPEG only. Without a window the object's own is used,
    without a viewport its own size."""

    form: Form = Form.JPEG
    quality: int = QUALITY
    window: Window | None = None
    viewport: Viewport | None = None


def encode(picture: Screen, view: View) -> bytes:
    """Raises NotAcceptable."""
    if view.form is Form.PNG:
        return raster.encode_png(picture)
    return raster.encode_jpeg(picture, view.quality)


__all__ = ["QUALITY", "Form", "Function", "Region", "View", "Viewport", "Window", "encode"]
