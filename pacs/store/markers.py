"""A file for every deletion, so that an index made anew knows what was deleted: what is in the trash
stays there, what was purged does not come back. Published in docs/storage-layout.md.

The first line tells of the deletion, each further one of a file that belongs to it. A marker is seen
whole or not at all, and written anew when what it tells changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import orjson

from pacs import log
from pacs.store import layout
from pacs.store.blobs import Blob, BlobStore
from pacs.store.folder import FolderStore, sync_folder

FORMAT: Final = "hilum-trash-1"
COPIES: Final = "trash/"
"""Below this key the cold tier keeps copies of the markers. No study's UID is spelled like it."""
_SUFFIX: Final = ".jsonl"
_log = log.get(__name__)

Told = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Marker:
    """`head` tells of the deletion, each of the `lines` of a file; `lines` may be asked for again."""

    key: str
    head: Told
    lines: Callable[[], Iterator[Told]]


def key_of(name: str, at_ns: int) -> str:
    return f"{layout.day(at_ns)}/{name}{_SUFFIX}"


class Markers:
    """Every method raises Unavailable when the folder cannot be used."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._store = FolderStore(root)

    def put(self, marker: Marker) -> None:
        """Durably; takes the place of what it told before."""
        self._store.put(marker.key, text_of(marker), size=sum(map(len, text_of(marker))))

    def remove(self, key: str) -> None:
        """Durably; absent is fine."""
        self._store.delete(key)
        folder = (self._root / key).parent
        if folder.is_dir():
            sync_folder(folder)

    def exists(self, key: str) -> bool:
        return self._store.stat(key) is not None

    def open(self, key: str) -> Blob:
        """The file as it lies there. Raises NotFound."""
        return self._store.open(key)

    def listed(self) -> Iterator[str]:
        return (stat.key for stat in self._store.list())

    def all(self) -> Iterator[Marker]:
        """The oldest first. What cannot be read is left to the check, which knows no such marker."""
        for key in sorted(self.listed()):
            marker = read(self._store, key)
            if marker is not None:
                yield marker


def text_of(marker: Marker) -> Iterator[bytes]:
    for told in chain(({"format": FORMAT, **marker.head},), marker.lines()):
        yield orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def read(store: BlobStore, key: str) -> Marker | None:
    """None for what is no marker."""
    head = next(_lines(store, key), {})
    if head.pop("format", "") != FORMAT:
        _log.error("trash: a file that is no marker is left where it is")
        return None
    return Marker(key, head, lambda: islice(_lines(store, key), 1, None))


def _lines(store: BlobStore, key: str) -> Iterator[Told]:
    rest = b""
    with store.open(key) as blob:
        for chunk in blob.chunks():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError:
                    return
