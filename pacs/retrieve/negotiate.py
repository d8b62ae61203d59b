"""Which transfer syntax an object is given in: a choice among what is stored, what is accepted and what
the codecs can do. It reads nothing and permits nothing."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from pacs.dicom import uids

_NATIVE: Final = (uids.EXPLICIT_LE, uids.IMPLICIT_LE)
_COMPRESSED: Final = (
    "1.2.840.10008.1.2.4.202",  # HTJ2K Lossless RPCL
    "1.2.840.10008.1.2.4.201",  # HTJ2K Lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS Lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 Lossless
    uids.RLE,
)
PREFERENCE: Final = (*_NATIVE, *_COMPRESSED, uids.DEFLATED_LE)
"""Of what is not stored: native costs one decoding and every receiver reads it; the most compact
compression comes next."""


@dataclass(frozen=True, slots=True)
class Abilities:
    """Transfer syntaxes that the codecs of this process read and write."""

    reads: frozenset[str]
    writes: frozenset[str]


def choices(
    stored: str, accepted: Collection[str], able: Abilities, *, pixels: bool = True
) -> tuple[str, ...]:
    """Transfer syntaxes to give an object in, the best first; empty when there is none.

    What is stored goes unchanged whenever it is accepted. Everything else is a lossless conversion,
    which may yet fail for this very object, and then the next one is to be tried. Without `pixels`
    there is nothing to compress (PS3.5 A.4)."""
    if stored in accepted:
        return (stored,)
    return tuple(target for target in obtainable(stored, able, pixels=pixels) if target in accepted)


def obtainable(stored: str, able: Abilities, *, pixels: bool = True) -> tuple[str, ...]:
    """All that an object can be converted to, the best first; without the one it is stored in."""
    if stored not in able.reads:
        return ()
    return tuple(
        target
        for target in PREFERENCE
        if target != stored and target in able.writes and (pixels or uids.is_native(target))
    )


def proposals(
    stored: Collection[str], able: Abilities, preferred: Collection[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """Presentation contexts for one SOP class towards a receiver that is not known: each syntax that is
    stored by itself, so that the receiver cannot decide against it, and so each that is `preferred`;
    then what there is to fall back on: each native one, and one of the compressions, of which the
    receiver takes its choice."""
    further = dict.fromkeys(
        target for syntax in stored for target in obtainable(syntax, able) if target not in stored
    )
    wished = tuple((target,) for target in preferred if target in further)
    further = dict.fromkeys(target for target in further if target not in preferred)
    compressed = tuple(target for target in further if target in _COMPRESSED)
    native = tuple((target,) for target in further if target in _NATIVE)
    return (*((syntax,) for syntax in stored), *wished, *native, *((compressed,) if compressed else ()))
