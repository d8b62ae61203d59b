"""Media types: reading Accept and Content-Type, choosing a representation (PS3.18 8.7, RFC 9110 12.5.1).

Reads what clients really send: `type=` quoted or not, any order, case and spacing, a bare `*`, and
parameters inside the quoted type. Nothing here raises anything but `Invalid` and `NotAcceptable`.
What cannot be read in an Accept asks for nothing, so that it is refused as what cannot be given is.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from pacs.errors import Invalid, NotAcceptable

MULTIPART = "multipart/related"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTET_STREAM = "application/octet-stream"
ANY = "*"

_LIMIT = 8192
_WEIGHT = re.compile(r"0?\.[0-9]{1,9}|0\.?|1(\.0{0,9})?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True)
class MediaType:
    """One media type with its parameters. Names are lower case, values as sent, without quotes."""

    name: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, parameter: str, default: str = "") -> str:
        return next((value for name, value in self.parameters if name == parameter), default)


@dataclass(frozen=True, slots=True)
class Range:
    """One acceptable range. `transfer_syntax` is empty when the client did not name one."""

    type: str
    multipart: bool
    transfer_syntax: str
    quality: float

    @property
    def specificity(self) -> int:
        """RFC 9110 12.5.1: the most specific range that fits an offer sets its quality."""
        return (
            (self.type != "*/*")
            + (not self.type.endswith("/*"))
            + bool(self.transfer_syntax)
            + self.multipart
        )


ANYTHING = Range("*/*", multipart=False, transfer_syntax="", quality=1.0)


@dataclass(frozen=True, slots=True)
class Offer:
    """One representation we can give. `transfer_syntaxes` are the names it answers to (empty: it has
    none). `default` says that it may be given when the client names no transfer syntax (PS3.18 8.7.3.5),
    `wild` that it may be given to those who name neither its type nor its transfer syntax."""

    type: str
    multipart: bool = False
    transfer_syntaxes: tuple[str, ...] = ()
    default: bool = True
    wild: bool = True

    def describe(self) -> str:
        named = "".join(f"; transfer-syntax={uid}" for uid in self.transfer_syntaxes[:1])
        return f'{MULTIPART}; type="{self.type}"{named}' if self.multipart else f"{self.type}{named}"


def parse_media_type(text: str) -> MediaType:
    """A Content-Type. Unquoted values may hold anything but `;`, as boundaries in the wild do."""
    if len(text) > _LIMIT:
        raise Invalid("the media type is too long")
    name, *rest = _split(text, ";")
    kind = name.strip().lower()
    if not _is_media_name(kind):
        raise Invalid("the media type has no form type/subtype")
    return MediaType(kind, tuple(_parameters(rest)))


@lru_cache(maxsize=256)
def parse_accept(text: str) -> tuple[Range, ...]:
    """The ranges of an Accept header. Elements without meaning are left out; an empty one accepts all."""
    if not text.replace(",", "").strip():
        return (ANYTHING,)
    return tuple(_ranges(text)) if len(text) <= _LIMIT else ()


def _ranges(text: str) -> Iterator[Range]:
    with suppress(Invalid):
        elements = _split(text, ",")
        for element in elements:
            with suppress(Invalid):
                yield _range(element)


def accept_parameter(query: str) -> str | None:
    """The `accept` query parameter of a raw query string (PS3.18 8.3.3.1), or None.

    A `+` belongs to `application/dicom+json`; only after a separator does it stand for a space."""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name).lower() == "accept":
            return re.sub(r"(?<=[;,])\++", " ", unquote(value))
    return None


def choose(accepted: Sequence[Range], offers: Sequence[Offer]) -> Offer:
    """The offer the client likes best; among equals the one we name first.

    Raises NotAcceptable, naming what there is."""
    best = max(offers, key=lambda offer: quality(accepted, offer), default=None)
    if best is None or quality(accepted, best) <= 0:
        can = ", ".join(offer.describe() for offer in offers)
        raise NotAcceptable("none of the media types asked for can be given", hint=f"can be given: {can}")
    return best


def quality(accepted: Sequence[Range], offer: Offer) -> float:
    """0 when the offer is not acceptable."""
    fitting = [r for r in accepted if _fits(r, offer)]
    return max(fitting, key=lambda r: (r.specificity, r.quality)).quality if fitting else 0.0


def _fits(wanted: Range, offer: Offer) -> bool:
    anything = wanted.type == "*/*" and not wanted.multipart
    if not anything and (wanted.multipart != offer.multipart or not _type_fits(wanted.type, offer.type)):
        return False
    if wanted.transfer_syntax not in ("", ANY):
        return wanted.transfer_syntax in offer.transfer_syntaxes
    if wanted.type.endswith("*") and not offer.wild:
        return False
    return anything or wanted.transfer_syntax == ANY or offer.default


def _type_fits(wanted: str, offered: str) -> bool:
    return wanted in ("*/*", offered) or (wanted.endswith("/*") and offered.startswith(wanted[:-1]))


def _range(element: str) -> Range:
    name, *rest = _split(element, ";")
    kind = name.strip().lower()
    kind = "*/*" if kind == ANY else kind  # sent by old Java clients
    if not _is_media_name(kind):
        raise Invalid("a media range has no form type/subtype")
    parameters = dict(_parameters(rest))
    syntax = parameters.get("transfer-syntax", "")
    multipart = kind in (MULTIPART, "multipart/*")
    if multipart:
        inner, *more = _split(parameters.get("type", "*/*"), ";")
        kind = inner.strip().lower() or "*/*"
        syntax = syntax or dict(_parameters(more)).get("transfer-syntax", "")
    return Range(kind, multipart, syntax.strip(), _quality(parameters.get("q", "1")))


def _quality(text: str) -> float:
    if not _WEIGHT.fullmatch(text):
        raise Invalid("a q-value is a number from 0 to 1")
    return float(text)


def _is_media_name(text: str) -> bool:
    kind, slash, subtype = text.partition("/")
    return bool(slash and _TOKEN.fullmatch(kind) and _TOKEN.fullmatch(subtype))


def _parameters(pieces: Sequence[str]) -> Iterator[tuple[str, str]]:
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if equals and name.strip():
            yield name.strip().lower(), _unquote(value.strip())


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL)
    return value


def _split(text: str, separator: str) -> list[str]:
    """Split outside double quotes; a backslash inside quotes protects the next character."""
    pieces, start, quoted, i = [], 0, False, 0
    while i < len(text):
        char = text[i]
        if char == '"':
            quoted = not quoted
        elif quoted and char == "\\":
            i += 1
        elif char == separator and not quoted:
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    if quoted:
        raise Invalid("a quoted string in a media type is not closed")
    return [*pieces, text[start:]]
