"""Colour profiles of 8-bit pictures, through LittleCMS as Pillow brings it (ICC.1; PS3.18 8.3.5.1.5).

The profiles of well-known spaces are made here from their published primaries: matrix and curve, nothing
else is needed for red, green and blue."""

import io
import struct
from enum import StrEnum
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pacs.errors import NotAcceptable

Screen = NDArray[np.uint8]


class Space(StrEnum):
    """What `iccprofile` asks for. OWN is the object's own one, or sRGB where it has none."""

    OWN = "yes"
    SRGB = "srgb"
    ADOBE_RGB = "adobergb"
    ROMM_RGB = "rommrgb"


_D50: Final = (0.9642, 1.0, 0.8249)
# Red, green and blue as XYZ, adapted to D50, and gamma: Adobe RGB (1998) 4.3, ISO 22028-2 (ROMM RGB).
_SPACES: Final = {
    Space.ADOBE_RGB: (
        "Adobe RGB (1998)",
        ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
        563 / 256,
    ),
    Space.ROMM_RGB: (
        "ROMM RGB",
        ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
        1.8,
    ),
}


def coloured(picture: Screen, own: bytes, space: Space) -> tuple[Screen, bytes]:
    """The picture in that space, as red, green and blue, and the profile that says so. `own` is the profile
    of the object, empty for none: then its colours are taken for sRGB. Raises NotAcceptable."""
    rgb = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, 2)
    source = own or profile(Space.SRGB)
    if space is Space.OWN or (space is Space.SRGB and not own):
        return rgb, source
    target = profile(space)
    try:
        image = ImageCms.profileToProfile(
            Image.fromarray(np.ascontiguousarray(rgb)), _opened(source), _opened(target), outputMode="RGB"
        )
    except ImageCms.PyCMSError as error:
        raise NotAcceptable(
            "the colour profile of this object cannot be used", hint="leave out iccprofile, or iccprofile=no"
        ) from error
    return np.asarray(image, np.uint8), target


@cache
def profile(space: Space) -> bytes:
    """Of a well-known space."""
    if space not in _SPACES:
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    name, primaries, gamma = _SPACES[space]
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    tags = {b"desc": _description(name), b"cprt": _text("No copyright, use freely"), b"wtpt": _xyz(_D50)}
    tags |= {key: _xyz(xyz) for key, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _packed(tags)


def _opened(data: bytes) -> Any:
    return ImageCms.ImageCmsProfile(io.BytesIO(data))


def _packed(tags: dict[bytes, bytes]) -> bytes:
    """Header, tag table and data, each element on a boundary of four bytes (ICC.1 7)."""
    at = 128 + 4 + 12 * len(tags)
    table, data = [struct.pack(">I", len(tags))], []
    for key, value in tags.items():
        padded = value + bytes(-len(value) % 4)
        table.append(struct.pack(">4sII", key, at, len(value)))
        data.append(padded)
        at += len(padded)
    created = struct.pack(">6H", 2026, 1, 1, 0, 0, 0)
    head = struct.pack(">I4xI4s4s4s", at, 0x02400000, b"mntr", b"RGB ", b"XYZ ") + created + b"acsp"
    head += bytes(28) + _fixed(_D50)
    return b"".join((head.ljust(128, b"\0"), *table, *data))


def _fixed(xyz: tuple[float, ...]) -> bytes:
    return struct.pack(">3i", *(round(value * 65536) for value in xyz))


def _xyz(xyz: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(xyz)


def _text(words: str) -> bytes:
    return b"text" + bytes(4) + words.encode("ascii") + b"\0"


def _description(words: str) -> bytes:
    plain = words.encode("ascii") + b"\0"
    return b"desc" + bytes(4) + struct.pack(">I", len(plain)) + plain + bytes(4 + 4 + 2 + 1 + 67)
