"""Search (PS3.18 10.6): a query string becomes a query, its matches DICOM JSON.

No match is 200 with an empty array, as several clients cannot read a 204.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from starlette.responses import Response

from dicomweb import answers, media
from dicomweb.calls import Call
from dicomweb.numbers import FURTHEST, whole
from dicomweb.urls import Outside
from pacs.dicom.attributes import BY_TAG, tag_of, vr_of
from pacs.dicom.level import Level
from pacs.errors import Invalid
from pacs.query import parse
from pacs.query.model import Match, Order, Path, Query

MAX_LIMIT: Final = 5000
DEFAULT_LIMIT: Final = 1000
"""Of a search across studies. Inside one study it is MAX_LIMIT: viewers ask for all of a study's
series and instances in one breath and do not come back for more."""

TRUNCATED: Final = (
    "The number of results exceeded the maximum supported by the server. Additional results can be requested."
)
TOTAL: Final = "X-Total-Count"

_NOT_DONE: Final = {  # in the words of PS3.18 8.3.4.5 and 8.3.4.6
    "emptyvaluematching": "Empty Value Matching has not been performed.",
    "multiplevaluematching": "Multiple Value Matching has not been performed.",
}
# They say how to answer (PS3.18 8.3.3); `accept` is read by the negotiation.
_OF_THE_WIRE: Final = frozenset({"accept", "charset"})
_LISTED_BY_COMMA: Final = frozenset({"UI", "CS"})  # their values cannot contain one


@dataclass(slots=True)
class Asked:
    """What a query string says."""

    keys: list[tuple[Path, tuple[str, ...]]] = field(default_factory=list)
    returned: list[Path] = field(default_factory=list)
    everything: bool = False
    fuzzy: bool = False
    counted: bool = False
    order: list[Order] = field(default_factory=list)
    offset: int = 0
    limit: int | None = None
    warnings: list[str] = field(default_factory=list)


def studies(call: Call) -> Response:
    return _search(call, Level.STUDY)


def series(call: Call) -> Response:
    return _search(call, Level.SERIES)


def instances(call: Call) -> Response:
    return _search(call, Level.IMAGE)


def _search(call: Call, level: Level) -> Response:
    offer = media.choose(call.accepted, answers.DATA_SETS)
    asked = read(call.request.query_params.multi_items(), level)
    cap = MAX_LIMIT if call.part("study") else DEFAULT_LIMIT
    limit = min(cap if asked.limit is None else asked.limit, MAX_LIMIT)
    query = _query(call, level, asked, limit)
    page = call.archive.search.page(call.actor, query)
    warnings = [*asked.warnings, *page.warnings]
    if page.more and limit != asked.limit:
        warnings.append(TRUNCATED)
    found = [described(match, call.outside, call.archive.config.dimse.aet) for match in page.matches]
    response = answers.data_sets(found, offer, warnings=warnings)
    if asked.counted:
        response.headers[TOTAL] = str(call.archive.search.count(call.actor, query))
    return response


def _query(call: Call, level: Level, asked: Asked, limit: int) -> Query:
    in_path = [
        ((tag_of(keyword),), (call.uid(part),))
        for part, keyword in (("study", "StudyInstanceUID"), ("series", "SeriesInstanceUID"))
        if call.part(part)
    ]
    query = parse.from_keys(
        level,
        asked.keys,
        returned=asked.returned,
        defaults=True,
        everything=asked.everything,
        offset=asked.offset,
        limit=limit,
        combined=True,
        fuzzy=asked.fuzzy,
        order=asked.order,
    )
    # Apart from the keys of the query string: an address and a key that name different studies
    # are two conditions, not a list of either.
    within = parse.from_keys(level, in_path)
    return replace(query, conditions=(*within.conditions, *query.conditions))


def described(match: Match, outside: Outside, aet: str) -> dict[str, Any]:
    """A match with what belongs to this wire: where to retrieve it, and that its text is UTF-8."""
    added = {
        "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
        "00080054": {"vr": "AE", "Value": [aet]},
        "00081190": {"vr": "UR", "Value": [_retrieve_url(match, outside)]},
    }
    return dict(sorted((match.attributes | added).items()))


def _retrieve_url(match: Match, outside: Outside) -> str:
    key = match.key
    if match.level is Level.STUDY:
        return outside.study(key.study)
    if match.level is Level.SERIES:
        return outside.series(key.study, key.series)
    return outside.instance(key)


def read(items: list[tuple[str, str]], level: Level) -> Asked:
    asked = Asked()
    for name, value in items:
        if name == "limit":
            asked.limit = whole(value, name)
        elif name == "offset":
            asked.offset = whole(value, name, most=FURTHEST)
        elif name == "fuzzymatching":
            asked.fuzzy = _truth(name, value)
        elif name == "orderby":
            asked.order += _orders(value, level)
        elif name == "totalcount":
            asked.counted = _truth(name, value)
        elif name == "includefield":
            _include(asked, value, level)
        elif name in _NOT_DONE:
            asked.warnings += _not_done(name, value)
        elif name not in _OF_THE_WIRE:
            path = _path(name)
            asked.keys.append((path, tuple(_values(path, value))))
    return asked


def _orders(value: str, level: Level) -> list[Order]:
    return [parse.order(one.strip(), level) for one in value.split(",") if one.strip()]


def _not_done(name: str, value: str) -> list[str]:
    return [f"The {name} parameter is not supported. {_NOT_DONE[name]}"] if _truth(name, value) else []


def _include(asked: Asked, value: str, level: Level) -> None:
    """PS3.18 8.3.4.3. What is unknown at the level is left out; what is unknown altogether, with a word."""
    for name in filter(None, (part.strip() for part in value.split(","))):
        if name.lower() == "all":
            asked.everything = True
            continue
        try:
            path = parse.path(name)
        except Invalid:
            asked.warnings.append(f"includefield {_shown(name)} is not an attribute and was left out")
            continue
        attribute = BY_TAG.get(path[0])
        if attribute is None or attribute.level <= level:
            asked.returned.append(path)


def _path(name: str) -> Path:
    try:
        return parse.path(name)
    except Invalid as error:
        raise Invalid(
            f"the query parameter {_shown(name)} cannot be matched: {error}", hint=error.hint
        ) from None


def _values(path: Path, text: str) -> Iterator[str]:
    for value in text.split("\\"):
        if vr_of(path[-1]) in _LISTED_BY_COMMA:
            yield from value.split(",")
        else:
            yield value


def _truth(name: str, value: str) -> bool:
    if value.strip().lower() not in ("true", "false"):
        raise Invalid(f"{name} expects true or false")
    return value.strip().lower() == "true"


def _shown(name: str) -> str:
    """A name from the request, fit to be quoted back."""
    return re.sub(r"[^A-Za-z0-9.]", "?", name)[:64]
