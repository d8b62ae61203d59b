"""One key and its values become one condition, by value representation (PS3.4 C.2.2.2)."""

from pacs.dicom import sounds, uids
from pacs.dicom.attributes import BY_TAG, Column, keyword_of, vr_of
from pacs.errors import Invalid
from pacs.query import normal, patterns
from pacs.query.model import Alike, Condition, Exact, Path, Range, Wildcard
from pacs.query.normal import Bounds

WILD = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})  # C.2.2.2.4
BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})
_LONGEST = 4096  # characters of one value
_MOST = 10_000  # values of one key
_MOST_ALTERNATIVES = 900  # where one after the other is tried; SQLite bounds the depth of expressions
_MOST_NAMES = 300  # each stands for three: its component groups
_BIGGEST = 2**63

_FORMS = {
    "DA": "a date as YYYYMMDD or a range A-B, A- or -B of such dates",
    "TM": "a time as HH, HHMM, HHMMSS or HHMMSS.FFFFFF or a range A-B, A- or -B of such times",
    "DT": "YYYYMMDDHHMMSS.FFFFFF, shortened from the right, with +HHMM or -HHMM behind, or a range of such",
    "UI": "UIDs: digits and dots, at most 64 characters",
    "AT": "a tag of eight hexadecimal digits",
}


def condition(path: Path, values: tuple[str, ...], *, fuzzy: bool = False) -> Condition | None:
    """The condition on the attribute at the end of `path`, which is a tag of one data set or item;
    None for universal matching. `fuzzy` asks for names that sound alike, too. Raises Invalid when a
    value is not of the attribute's form."""
    tag = path[-1]
    vr = vr_of(tag)
    wanted = _cleaned(tag, vr, values)
    if not wanted or any(patterns.is_universal(v) for v in wanted):
        return None
    most = _MOST_NAMES if vr == "PN" else _MOST_ALTERNATIVES
    if len(wanted) > most and not _is_list(tag, vr, wanted):
        raise _too_many(tag, most)
    if vr == "SQ":
        raise Invalid(f"{keyword_of(tag)} is a sequence and has no value of its own")
    here = (tag,)
    if vr in {"DA", "TM", "DT"}:
        return _temporal(here, vr, wanted)
    if vr == "PN":
        literal = _person_name(here, wanted)
        return _alike(here, wanted, literal) if literal and fuzzy else literal
    if vr in WILD or vr == "UN":
        return _text(here, vr, wanted)
    return Exact(here, tuple(_normal(tag, vr, v) for v in wanted))


def _is_list(tag: int, vr: str, values: tuple[str, ...]) -> bool:
    """Whether the values are looked up all at once, as UIDs are."""
    return vr != "PN" and normal.is_single(tag) and not (vr in WILD and any(map(patterns.is_wild, values)))


def _too_many(tag: int, most: int) -> Invalid:
    return Invalid(f"{keyword_of(tag)} has more than {most} values", hint="ask in several smaller queries")


def is_range(vr: str, values: tuple[str, ...]) -> bool:
    return vr in {"DA", "TM"} and len(values) == 1 and "-" in values[0]


def _cleaned(tag: int, vr: str, values: tuple[str, ...]) -> tuple[str, ...]:
    if vr in normal.UNSPLIT:
        values = ("\\".join(values),)
    if len(values) > _MOST:
        raise _too_many(tag, _MOST)
    return tuple(v for v in (clean(keyword_of(tag), value) for value in values) if v)


def clean(what: str, value: str) -> str:
    """Without padding. Raises Invalid for what no database can compare."""
    value = value.strip(" \0\r\n\t")
    if len(value) > _LONGEST:
        raise Invalid(f"{what} is longer than {_LONGEST} characters")
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise Invalid(f"{what} is not valid text", hint="check the character set of the request")
    return value


def _temporal(path: Path, vr: str, values: tuple[str, ...]) -> Condition:
    if len(values) > 1:
        bounds = [_bounds(path[0], vr, value) for value in values]
        if vr == "DA" and all(low == high for low, high in bounds):
            return Exact(path, tuple(low for low, _ in bounds))
        raise _malformed(path[0], vr)
    low, high = _bounds(path[0], vr, values[0])
    return Exact(path, (low,)) if vr == "DA" and low == high else Range(path, low, high)


def _bounds(tag: int, vr: str, text: str) -> Bounds:
    """Inclusive bounds. A time given to the minute stands for that whole minute, alone or as the
    end of a range: C.2.2.2.1 leaves it open, and nobody who asks for 1015 means 10:15:00.000000."""
    single = _point(vr, text)
    if single is not None:
        return single
    for at, char in enumerate(text):
        if char == "-":
            first, last = text[:at].strip(), text[at + 1 :].strip()
            low = _point(vr, first) if first else ("", "")
            high = _point(vr, last) if last else ("", "")
            if low is not None and high is not None and (first or last):
                return low[0], high[1]
    raise _malformed(tag, vr)


def _point(vr: str, text: str) -> Bounds | None:
    if vr == "DA":
        date = normal.date(text)
        return (date, date) if date else None
    return normal.time_bounds(text) if vr == "TM" else normal.moment_bounds(text)


def _alike(path: Path, values: tuple[str, ...], literal: Exact | Wildcard) -> Condition:
    wanted = tuple(sounds.of(value) for value in values)
    return Alike(path, wanted, literal) if all(wanted) else literal


def _person_name(path: Path, values: tuple[str, ...]) -> Exact | Wildcard | None:
    folded = tuple(normal.name(value) for value in values)
    if any(patterns.is_universal(name.replace("=", "")) for name in folded):
        return None
    if any(patterns.is_wild(value) for value in values):
        return Wildcard(path, folded)
    return Exact(path, folded)


def _text(path: Path, vr: str, values: tuple[str, ...]) -> Condition:
    if len(values) > 1 and normal.is_single(path[0]) and vr != "UN":
        # An object may hold several values where one is allowed; that is found by what is returned.
        values = (*values, "\\".join(values))
    if any(patterns.is_wild(value) for value in values):
        return Wildcard(path, values)
    return Exact(path, values)


def _normal(tag: int, vr: str, text: str) -> str:
    if vr == "UI":
        if not uids.is_valid(text):
            raise _malformed(tag, vr)
        return text
    found = normal.value(vr, text)
    if not found:
        raise _malformed(tag, vr)
    attribute = BY_TAG.get(tag)
    if attribute and attribute.column is Column.NUMBER and abs(int(found)) >= _BIGGEST:
        raise _malformed(tag, vr)
    return found


def _malformed(tag: int, vr: str) -> Invalid:
    expected = _FORMS.get(vr)
    if expected is None:
        expected = "a whole number" if vr in normal.INTEGERS else "a number"
    return Invalid(f"{keyword_of(tag)} expects {expected}")
