"""Which forms there are of the frames of an object (PS3.18 8.7.3.3): stored, recoded, and smaller."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Protocol, Self

from dicomweb.media import OCTET_STREAM, Offer
from pacs.dicom import uids
from pacs.retrieve import made, negotiate, recoded
from pacs.retrieve.frameset import MEDIA_TYPES, FrameSet
from pacs.retrieve.made import Look
from pacs.retrieve.negotiate import Abilities

HTJ2K_RPCL: Final = "1.2.840.10008.1.2.4.202"
_DEFAULTS: Final = frozenset(
    {uids.RLE, "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"}
)
"""Transfer syntaxes that their media types mean when none is named (PS3.18 Table 8.7.3-5)."""
_FORMER_NAMES: Final = {uids.RLE: "image/x-dicom-rle"}  # PS3.18 2016 to 2018


class Frames(Protocol):
    """Frames ready to be sent, in the order of `numbers`."""

    @property
    def numbers(self) -> tuple[int, ...]: ...

    @property
    def transfer_syntax(self) -> str: ...

    def lengths(self) -> tuple[int, ...] | None: ...

    def chunks(self, number: int, offset: int = 0, length: int | None = None) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class _Form:
    """What the offers depend on."""

    syntax: str
    stored: str
    native: bool
    stream: bool
    several: bool

    @classmethod
    def of(cls, found: FrameSet) -> Self:
        stored = found.stored.transfer_syntax
        return cls(found.transfer_syntax, stored, found.native, found.stream, len(found.numbers) > 1)


def offers(found: FrameSet, able: Abilities) -> tuple[Offer, ...]:
    """The default of octet-stream is Explicit VR Little Endian (PS3.18 8.7.3.5), so what is stored
    compressed is given compressed only to those who ask for its transfer syntax, for any, or for the
    media type of the compression, which needs no such word. What would have to be made is made for
    those only who name it."""
    return _offers(_Form.of(found), able)


@lru_cache(maxsize=256)
def _offers(form: _Form, able: Abilities) -> tuple[Offer, ...]:
    syntax = form.syntax
    if form.native:
        kinds = [Offer(OCTET_STREAM, transfer_syntaxes=_native_names(form.stored))]
    else:
        kinds = [
            *_by_media_type(syntax, default=True, wild=True),
            Offer(OCTET_STREAM, transfer_syntaxes=(syntax,), default=False),
        ]
    if not form.stream:
        kinds += _made(negotiate.obtainable(syntax, able))
    return _in_forms(kinds, (True, False), several=form.several)


def _made(targets: Iterable[str]) -> Iterator[Offer]:
    for target in targets:
        if target == uids.EXPLICIT_LE:
            yield Offer(OCTET_STREAM, transfer_syntaxes=(target,))
        elif not uids.is_native(target):
            yield from _by_media_type(target, default=target in _DEFAULTS, wild=False)
            yield Offer(OCTET_STREAM, transfer_syntaxes=(target,), default=False, wild=False)


def _by_media_type(syntax: str, *, default: bool, wild: bool) -> Iterator[Offer]:
    for name in (MEDIA_TYPES.get(syntax), _FORMER_NAMES.get(syntax)):
        if name is not None:
            yield Offer(name, transfer_syntaxes=(syntax,), default=default, wild=wild)


def _native_names(stored: str) -> tuple[str, ...]:
    """Native frames are the same bytes in every little endian syntax."""
    return (uids.EXPLICIT_LE, stored) if stored != uids.EXPLICIT_BE else (uids.EXPLICIT_LE,)


def small_offers(found: FrameSet) -> tuple[Offer, ...]:
    """Samples for everybody; the beginning of a .202 stream for those who take any transfer syntax or
    name this one."""
    kinds = [Offer(OCTET_STREAM, transfer_syntaxes=(uids.EXPLICIT_LE,))]
    if found.transfer_syntax == HTJ2K_RPCL:
        stored = (HTJ2K_RPCL,)
        kinds = [
            Offer(OCTET_STREAM, transfer_syntaxes=stored, default=False, wild=False),
            *kinds,
            Offer(MEDIA_TYPES[HTJ2K_RPCL], transfer_syntaxes=stored, wild=False),
        ]
    return _in_forms(kinds, (False, True), several=len(found.numbers) > 1)


def _in_forms(kinds: Sequence[Offer], forms: tuple[bool, ...], *, several: bool) -> tuple[Offer, ...]:
    """One frame can be given by itself, any number as multipart. `forms` are the preferred first."""
    possible = [multi for multi in forms if multi or not several]
    return tuple(replace(kind, multipart=multi) for multi in possible for kind in kinds)


def identity(found: FrameSet, offer: Offer) -> tuple[str, str]:
    """What the bytes depend on beside the stored ones; a new library can encode them in another way."""
    return offer.describe(), recoded.makers(found.transfer_syntax, offer.transfer_syntaxes[0])


def given(found: FrameSet, offer: Offer, factor: int) -> tuple[Frames, Look | None]:
    """The frames in the form that was chosen; a look where the metadata does not describe it."""
    target = offer.transfer_syntaxes[0]
    if factor:
        small = made.cut(found, factor) if target == HTJ2K_RPCL else made.small(found, factor)
        return small, small.look
    if target == found.transfer_syntax:
        return found, None
    converted = made.recoded(found, target)
    return converted, converted.look
