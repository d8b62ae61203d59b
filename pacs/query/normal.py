"""Normal forms: keys and stored values are brought to these and then compare as text.

DA `YYYYMMDD`, TM `HHMMSS.FFFFFF`, DT `YYYYMMDDHHMMSS.FFFFFF` with a final `Z` when it was given
with an offset and turned into UTC, numbers by their value, names folded, everything else without
the padding. An empty result says that the text is no value of that VR.
"""

import calendar
import datetime as dt
import re
import struct
from decimal import Decimal
from functools import cache

from pydicom.datadict import dictionary_VM

from pacs.dicom import names
from pacs.index import entry

INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "UV", "SV"})
DECIMALS = frozenset({"DS", "FL", "FD"})
UNSPLIT = frozenset({"LT", "ST", "UT", "UR"})  # a backslash is part of the text (PS3.5 6.2)

_DATE = re.compile(r"(\d{4})(\.?)(\d{2})\2(\d{2})", re.ASCII)  # with dots: ACR-NEMA
_TIME = re.compile(
    r"([01]\d|2[0-3])(?:(:?)([0-5]\d)(?:\2([0-5]\d|60)(?:\.(\d{1,6}))?)?)?",
    re.ASCII,  # with colons: ACR-NEMA
)
_MOMENT = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)"
    r"(?:(?P<minute>\d\d)(?:(?P<second>\d\d)(?:\.(?P<fraction>\d{1,6}))?)?)?)?)?)?"
    r"(?P<zone>[+-]\d{4})?",
    re.ASCII,
)
_ZONE = re.compile(r"[+-]\d{4}$", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_TAG = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII)

Bounds = tuple[str, str]


@cache
def is_single(tag: int) -> bool:
    r"""Value multiplicity 1 by the dictionary: more values than one are compared joined by `\`."""
    try:
        return dictionary_VM(tag) == "1"
    except KeyError:
        return False


def value(vr: str, text: str) -> str:
    """The normal form of one value of this VR."""
    if vr == "DA":
        return date(text)
    if vr in {"TM", "DT"}:
        bounds = time_bounds(text) if vr == "TM" else moment_bounds(text)
        return bounds[0] if bounds else ""
    if vr in INTEGERS:
        return integer(text)
    if vr in DECIMALS:
        return decimal(vr, text)
    if vr == "AT":
        return text.upper() if _TAG.fullmatch(text) else ""
    if vr == "PN":
        return name(text)
    return text.rstrip(" \0") if vr in UNSPLIT else text.strip(" \0")


def stored(vr: str, text: str) -> str:
    """The normal form of a stored value, read as leniently as the index reads it."""
    if vr == "DA":
        return entry.date(text)
    return entry.time(text) if vr == "TM" else value(vr, text)


def name(text: str) -> str:
    """Folded; with `=` all three component groups, without it the one that was given."""
    if "=" in text:
        return "=".join(names.folded(text))
    return names.folded(text).alphabetic


def date(text: str) -> str:
    found = _DATE.fullmatch(text.strip())
    if found is None:
        return ""
    year, _, month, day = found.groups()
    try:
        dt.date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return year + month + day


def time_bounds(text: str) -> Bounds | None:
    """First and last moment that a time of this precision stands for (PS3.5 6.2, TM)."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, _, minute, second, fraction = found.groups()
    low = f"{hour}{minute or '00'}{second or '00'}.{fraction or '':0<6}"
    high = f"{hour}{minute or '59'}{second or '60'}.{fraction or '':9<6}"  # 60: the leap second
    return low, high


def moment_bounds(text: str) -> Bounds | None:
    """First and last moment that a DT of this precision stands for."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    part = found.groupdict()
    try:
        low = _moment(part, month="01", day="01", hour="00", rest="00", digit="0")
        month = part["month"] or "12"
        last = f"{calendar.monthrange(int(part['year']), int(month))[1]}"
        high = _moment(part, month="12", day=last, hour="23", rest="59", digit="9")
    except (ValueError, OverflowError, calendar.IllegalMonthError):
        return None
    return low, high


def _moment(part: dict[str, str | None], *, month: str, day: str, hour: str, rest: str, digit: str) -> str:
    second = part["second"] or rest
    fraction = f"{part['fraction'] or '':{digit}<6}"
    moment = dt.datetime(  # noqa: DTZ001 - the offset, when there is one, is applied below
        int(part["year"] or 0),
        int(part["month"] or month),
        int(part["day"] or day),
        int(part["hour"] or hour),
        int(part["minute"] or rest),
        min(int(second), 59),  # a leap second counts as the one before it
        int(fraction),
    )
    zone = part["zone"]
    if zone is None:
        return _stamp(moment)
    return _stamp(moment - offset(zone)) + "Z"


def offset(zone: str) -> dt.timedelta:
    """`+0130` as a duration; raises ValueError beyond what PS3.5 6.2 allows."""
    distance = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
    if distance > dt.timedelta(hours=14):
        raise ValueError(zone)
    return -distance if zone[0] == "-" else distance


def clock(text: str) -> str:
    """The first moment of a DT as its clock showed it, whatever the offset behind it."""
    bounds = moment_bounds(_ZONE.sub("", text.strip()))
    return bounds[0] if bounds else ""


def utc(text: str, zone: str) -> str:
    """The first moment of a DT in UTC; `zone` is the offset of one that has none of its own."""
    text = text.strip()
    bounds = moment_bounds(text if _ZONE.search(text) else text + zone)
    return bounds[0] if bounds else ""


def _stamp(moment: dt.datetime) -> str:
    return f"{moment.year:04}{moment.month:02}{moment.day:02}{moment.strftime('%H%M%S.%f')}"


def integer(text: str) -> str:
    found = _INTEGER.fullmatch(text.strip())
    return str(int(found[0])) if found else ""


def decimal(vr: str, text: str) -> str:
    """By value: `1.50` and `1.5` are one; an FL is compared in its own precision."""
    try:
        if vr == "FL":
            (single,) = struct.unpack("<f", struct.pack("<f", float(text)))
            number = Decimal(single)
        else:
            number = Decimal(repr(float(text))) if vr == "FD" else Decimal(text.strip())
        return str((number + 0).normalize()) if number.is_finite() else ""
    except (ArithmeticError, ValueError):
        return ""
