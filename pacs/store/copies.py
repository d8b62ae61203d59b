"""Copies of the markers on the cold tier: its packs outlive the data folder, so what was deleted of
them must be known there, too. Published in docs/storage-layout.md.

The folder decides, a copy follows. A copy that is on its way while its marker changes or goes would
stay behind it: whoever makes one looks again afterwards.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from pacs import log
from pacs.errors import NotFound
from pacs.store import markers
from pacs.store.blobs import BlobStore
from pacs.store.markers import COPIES, Marker, Markers

_PURGED: Final = "purged"
_log = log.get(__name__)


class Copies:
    """Every method raises Unavailable when the cold tier or the folder is away. Thread-safe."""

    def __init__(self, kept: Markers, cold: BlobStore) -> None:
        self._kept = kept
        self._cold = cold

    def put(self, marker: Marker) -> None:
        """Tell it there before the folder knows: what it tells is decided, and its bytes will go."""
        size = sum(map(len, markers.text_of(marker)))
        self._cold.put(_copy_of(marker.key), markers.text_of(marker), size=size)

    def keep(self, key: str) -> None:
        """As it is in the folder; gone if it is not there."""
        try:
            with self._kept.open(key) as blob:
                self._cold.put(_copy_of(key), blob.chunks(), size=blob.size)
        except NotFound:
            self.remove(key)

    def remove(self, key: str) -> None:
        """Absent is fine."""
        self._cold.delete(_copy_of(key))

    def names(self) -> Iterator[str]:
        """Of the deletions that are known there."""
        return (PurePosixPath(stat.key).stem for stat in self._cold.list(COPIES))

    def fetch(self) -> int:
        """Put into the folder what it lacks, and what it does not yet know to be purged; returns how
        many that were. The folder may have been lost, or be older."""
        return sum(self._fetch(stat.key) for stat in self._cold.list(COPIES))

    def _fetch(self, key: str) -> bool:
        told = markers.read(self._cold, key)
        if told is None:
            return False
        marker = Marker(_original_of(key, told), told.head, told.lines)
        if self._kept.exists(marker.key) and told.head.get("state") != _PURGED:
            return False
        self._kept.put(marker)
        return True


def _copy_of(key: str) -> str:
    """By name alone: a name is known when nothing else of a deletion is."""
    return COPIES + PurePosixPath(key).name


def _original_of(key: str, marker: Marker) -> str:
    return markers.key_of(PurePosixPath(key).stem, int(marker.head["at_ns"]))
