"""The parts of the tiers around an archive in this process, and looks at where things lie."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pacs.ingest.check import Checker
from pacs.retrieve.selection import StoredObject
from pacs.runtime import Archive
from pacs.store import layout, locations, packs
from pacs.store.blobs import BlobStore
from pacs.store.cache import Range, RangeCache
from pacs.store.disk import DiskBlob
from pacs.store.locations import Location
from pacs.store.reader import ColdBlob, Reader
from tests.support.dicom_object import DicomObject
from tiering.move import Mover
from tiering.recall import Recaller


@dataclass(slots=True)
class Tiers:
    """`asked` is every range that was fetched from the cold tier to be read."""

    archive: Archive
    cold: BlobStore
    folder: Path
    asked: list[Range] = field(default_factory=list)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = Reader(self.archive.stores.hot, RangeCache(self.folder / "cache", 1 << 30, self.fetch))

    def fetch(self, wanted: Range) -> Iterator[bytes]:
        self.asked.append(wanted)
        return self.cold.ranged(wanted.key, wanted.offset, wanted.length)

    def mover(self) -> Mover:
        """A new process's, as it were."""
        return Mover(self.archive.stores.db, self.archive.stores.hot, self.cold)

    def recaller(self) -> Recaller:
        one = self.archive
        return Recaller(one.stores.db, one.stores.hot, self.cold, one.stores.spool, one.ingest._writer)

    def to_cold(self, study: str) -> None:
        mover = self.mover()
        mover.pack_study(study)
        mover.evict_study(study, 1 << 62)

    def places(self, item: DicomObject) -> list[Location]:
        with self.archive.stores.db.read() as tx:
            return locations.of(tx, item.instance, item.digest)

    def places_of(self, chosen: StoredObject) -> list[Location]:
        """Of an object that may be kept in another form than it was sent in."""
        with self.archive.stores.db.read() as tx:
            return locations.of(tx, chosen.key.instance, chosen.digest)

    def tiers(self, item: DicomObject) -> set[str]:
        return {place.tier for place in self.places(item)}

    def open(self, item: DicomObject) -> DiskBlob | ColdBlob:
        return self.reader.find(lambda: self.places(item))

    def is_given(self, item: DicomObject) -> bool:
        """Whether a reader gets the very file that was sent."""
        with self.open(item) as source:
            return b"".join(source.chunks()) == item.part10()

    def checker(self) -> Checker:
        """The archive's own, over this cold tier."""
        one = self.archive
        parts = (one.stores.db, one.stores.hot, one.checker._quarantined, one.ingest)
        return Checker(*parts, self.cold, one.stores.spool, one.checker._markers)

    def hot_files(self) -> set[str]:
        return set(self.archive.stores.hot.walk())

    def differences(self) -> list[object]:
        """What a thorough check finds."""
        found: list[object] = list(self.checker().check(deep=True))
        return found + [("evicting", key) for key in packs.evicting(self.archive.stores.db)]


HOT, COLD = layout.HOT, layout.COLD
