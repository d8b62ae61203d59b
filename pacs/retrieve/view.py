"""How a picture is wanted, and the file it becomes."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pacs.errors import NotAcceptable
from pacs.pixels.codecs import files, icc, raster
from pacs.pixels.codecs.icc import Space
from pacs.pixels.codecs.raster import Screen
from pacs.pixels.viewport import Region, Viewport
from pacs.pixels.voi import Function, Window

QUALITY: Final = 90


class Form(StrEnum):
    """Rendered media types (PS3.18 8.7.4) that can be made."""

    JPEG = "image/jpeg"
    PNG = "image/png"
    GIF = "image/gif"


class Annotation(StrEnum):
    """What can be written into a picture (PS3.18 8.3.5.1.1)."""

    PATIENT = "patient"
    TECHNIQUE = "technique"


@dataclass(frozen=True, slots=True)
class View:
    """`quality` from 1 to 100 counts for JPEG only. Without a window the object's own is used,
    without a viewport its own size; without a space the picture says nothing of its colours."""

    form: Form = Form.JPEG
    quality: int = QUALITY
    window: Window | None = None
    viewport: Viewport | None = None
    annotations: tuple[Annotation, ...] = ()
    space: Space | None = None


def encode(picture: Screen, view: View, own_profile: bytes = b"") -> bytes:
    """`own_profile` is that of the object, empty for none. Raises NotAcceptable."""
    if view.form is Form.GIF:
        return moving(iter((picture,)), view)
    if view.space is not None:
        picture, profile = icc.coloured(picture, own_profile, view.space)
        if view.form is Form.PNG:
            return files.profiled_png(picture, profile)
        return files.profiled_jpeg(picture, view.quality, profile)
    if view.form is Form.PNG:
        return raster.encode_png(picture)
    return raster.encode_jpeg(picture, view.quality)


def moving(pictures: Iterator[Screen], view: View, milliseconds: int = 100) -> bytes:
    """Raises NotAcceptable."""
    if view.space is not None:
        raise NotAcceptable("a GIF has no colour profile", hint="ask for image/png or image/jpeg")
    return files.gif(pictures, milliseconds)


__all__ = [
    "QUALITY",
    "Annotation",
    "Form",
    "Function",
    "Region",
    "Space",
    "View",
    "Viewport",
    "Window",
    "encode",
]
