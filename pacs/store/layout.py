"""Names on disk: published in docs/storage-layout.md and readable without the archive.

`hot/<received yyyy>/<mm>/<dd>/<study>/<series>/<instance>.dcm`; a second version of an instance
that arrives on the same day is `<instance>.2.dcm`, and so on. The file's modification time is the
moment it was received.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count

from pacs.dicom.uids import InstanceKey

HOT = "hot"
COLD = "cold"
SPOOL = "spool"
QUARANTINE = "quarantine"
RENDITIONS = "renditions"
TRASH = "trash"
SUFFIX = ".dcm"
_DAY_NS = 86_400 * 10**9


def day(received_ns: int) -> str:
    return _day(received_ns // _DAY_NS)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * (_DAY_NS // 10**9), tz=UTC).strftime("%Y/%m/%d")


def folder(key: InstanceKey, received_ns: int) -> str:
    return f"{day(received_ns)}/{key.study}/{key.series}"


def names(key: InstanceKey) -> Iterator[str]:
    """File names an instance may take in its folder, in the order they are tried."""
    yield key.instance + SUFFIX
    for number in count(2):
        yield f"{key.instance}.{number}{SUFFIX}"
