"""The stand-in for a picture that there is none of: a calm tile that names the modality."""

from functools import lru_cache
from typing import Final

from pacs.pixels.codecs import pillow
from pacs.pixels.codecs.raster import Screen

_GROUND: Final = 38
_INK: Final = 150
_LONGEST: Final = 16  # characters, VR CS


@lru_cache(maxsize=64)
def icon(modality: str, edge: int) -> Screen:
    """`edge` x `edge` of grey."""
    word = "".join(c for c in modality[:_LONGEST] if c.isascii() and c.isprintable())
    return pillow.labelled(edge, edge, word, _GROUND, _INK)
