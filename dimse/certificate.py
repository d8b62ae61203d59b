"""How long an X.509 certificate is good (RFC 5280 4.1.2.5), of which Python's own library tells nothing
for one's own."""

import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pacs import clock

_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_SOON: Final = timedelta(days=30)
_PEM: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def trouble(path: Path) -> str:
    """What is wrong with the validity of the first certificate of a PEM file; empty when nothing is.

    Raises OSError and ValueError."""
    first = _PEM.search(path.read_text("ascii", "replace"))
    if first is None:
        raise ValueError("there is no certificate in it")
    begin, end = validity(ssl.PEM_cert_to_DER_cert(first.group()))
    now = datetime.fromtimestamp(clock.now_ns() / 1e9, UTC)
    if now > end:
        return f"expired on {end:%Y-%m-%d}: others refuse it"
    if now < begin:
        return f"is not valid before {begin:%Y-%m-%d}: others refuse it"
    return f"expires on {end:%Y-%m-%d}" if now + _SOON > end else ""


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Not before, not after. Raises ValueError."""
    try:
        return _validity(memoryview(der))
    except (IndexError, UnicodeDecodeError) as error:
        raise ValueError("it is no certificate") from error


def _validity(der: memoryview) -> tuple[datetime, datetime]:
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)  # what is signed: version?, serial, algorithm, issuer, validity
    kind, _, behind = _element(rest)
    skipped = 3 if kind == _VERSION else 2
    for _ in range(skipped):
        _, _, behind = _element(behind)
    kind, times, _ = _element(behind)
    if kind != _SEQUENCE:
        raise ValueError("it is no certificate")
    first, begin, behind = _element(times)
    second, end, _ = _element(behind)
    return _moment(first, begin), _moment(second, end)


def _element(data: memoryview) -> tuple[int, memoryview, memoryview]:
    """Tag, content and what comes behind (X.690 8.1)."""
    kind, length, pos = data[0], data[1], 2
    if length & 0x80:
        count = length & 0x7F
        length, pos = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
    return kind, data[pos : pos + length], data[pos + length :]


def _moment(kind: int, value: memoryview) -> datetime:
    text = bytes(value).decode("ascii")
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("it is no certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
