"""Which forms there are of the frames of an object (PS3.18 8.7.3.3): as stored, and smaller."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from dicomweb.media import OCTET_STREAM, Offer
from pacs.dicom import uids
from pacs.retrieve import made
from pacs.retrieve.frameset import MEDIA_TYPES, FrameSet
from pacs.retrieve.made import MadeFrames

HTJ2K_RPCL: Final = "1.2.840.10008.1.2.4.202"


class Frames(Protocol):
    """Frames ready to be sent, in the order of `numbers`."""

    numbers: tuple[int, ...]
    transfer_syntax: str

    def lengths(self) -> tuple[int, ...] | None: ...

    def chunks(self, number: int, offset: int = 0, length: int | None = None) -> Iterator[bytes]: ...


def stored_offers(found: FrameSet) -> list[Offer]:
    """The default of octet-stream is Explicit VR Little Endian (PS3.18 8.7.3.5), so what is stored
    compressed is given as octets only to those who ask for its transfer syntax or for any; the media
    type of the compression itself needs no such word."""
    if found.native:
        kinds = [Offer(OCTET_STREAM, transfer_syntaxes=_native_names(found))]
    else:
        stored = (found.transfer_syntax,)
        own = [Offer(found.media_type, transfer_syntaxes=stored)] if found.media_type != OCTET_STREAM else []
        kinds = [*own, Offer(OCTET_STREAM, transfer_syntaxes=stored, default=False)]
    return _in_forms(kinds, found, (True, False))


def _native_names(found: FrameSet) -> tuple[str, ...]:
    """Native frames are the same bytes in every little endian syntax."""
    stored = found.stored.transfer_syntax
    return (uids.EXPLICIT_LE, stored) if stored != uids.EXPLICIT_BE else (uids.EXPLICIT_LE,)


def small_offers(found: FrameSet) -> list[Offer]:
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
    return _in_forms(kinds, found, (False, True))


def _in_forms(kinds: Sequence[Offer], found: FrameSet, forms: tuple[bool, ...]) -> list[Offer]:
    """One frame can be given by itself, any number as multipart. `forms` are the preferred first."""
    possible = [multi for multi in forms if multi or len(found.numbers) == 1]
    return [replace(kind, multipart=multi) for multi in possible for kind in kinds]


def small(found: FrameSet, offer: Offer, factor: int) -> MadeFrames:
    if offer.transfer_syntaxes == (HTJ2K_RPCL,):
        return made.cut(found, factor)
    return made.small(found, factor)
