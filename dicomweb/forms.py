"""In which form and transfer syntax instances go out (PS3.18 8.7.3.5, docs/adr/0011)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from dicomweb import media
from dicomweb.media import ANY, DICOM, Offer, Range
from dicomweb.zipped import ZIP
from pacs.dicom import uids
from pacs.errors import NotAcceptable
from pacs.retrieve import negotiate as syntaxes
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject

_SEVERAL: Final = ((DICOM, True), (ZIP, False))
_SINGLE: Final = ((DICOM, False), *_SEVERAL)


@dataclass(frozen=True, slots=True)
class Form:
    """`given` tells the transfer syntax that goes out for one that is stored; it raises NotAcceptable.
    `named_none` says that the client left the choice to us."""

    type: str
    multipart: bool
    given: Callable[[str], str]
    named_none: bool = False

    def of(self, stored: StoredObject) -> str:
        """What has no pixels is never compressed (PS3.5 A.4): a study's reports go with its images, in
        Explicit VR Little Endian."""
        wanted = self.given(stored.transfer_syntax)
        if stored.frames or wanted == stored.transfer_syntax or uids.is_native(wanted):
            return wanted
        return uids.EXPLICIT_LE


def negotiate(accepted: Sequence[Range], stored: Collection[str], able: Abilities, *, single: bool) -> Form:
    """One form for all, and a transfer syntax for each one that is stored: nothing is left out.

    Raises NotAcceptable."""
    forms = _SINGLE if single else _SEVERAL

    def best(syntax: str, forms: Collection[tuple[str, bool]]) -> Offer:
        return media.choose(accepted, _offers(accepted, syntax, able, forms))

    chosen = {syntax: best(syntax, forms) for syntax in stored}
    kinds = {(offer.type, offer.multipart) for offer in chosen.values()}
    if len(kinds) != 1:
        raise NotAcceptable("the instances cannot all be given in one form")

    def given(syntax: str) -> str:
        if syntax not in chosen:  # kept in another transfer syntax since they were counted
            chosen[syntax] = best(syntax, kinds)
        return chosen[syntax].transfer_syntaxes[0]

    ((kind, multipart),) = kinds
    return Form(kind, multipart, given, all(one.transfer_syntax in ("", ANY) for one in accepted))


def _offers(
    accepted: Sequence[Range], stored: str, able: Abilities, forms: Collection[tuple[str, bool]]
) -> list[Offer]:
    """Explicit VR Little Endian for those who name no transfer syntax, what is stored for those who take
    any; it goes to the former, too, where there is no converting it."""
    targets = syntaxes.obtainable(stored, able)
    plain = uids.EXPLICIT_LE in (stored, *targets)
    default = uids.EXPLICIT_LE if plain else stored
    starred = any(one.transfer_syntax == ANY for one in accepted)
    ordered = [stored, *targets]
    return [
        Offer(
            kind,
            multipart=multi,
            transfer_syntaxes=(syntax,),
            default=syntax == default,
            wild=kind == DICOM and (syntax == default or (starred and syntax == stored)),
        )
        for kind, multi in forms
        for syntax in ordered
    ]
