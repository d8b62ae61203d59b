"""Choose, open and cut stored objects. Retrieval never moves bytes from tier to tier."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

from pacs.audit.looks import Looks
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, require
from pacs.db.connection import Database, Transaction
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.errors import Conflict, Invalid, NotAcceptable, NotFound, Unavailable
from pacs.index import entry as entries
from pacs.index import lookup
from pacs.pixels.shape import FrameShape
from pacs.retrieve import bulk, negotiate, original, recoded, samples
from pacs.retrieve.bulk import BulkData
from pacs.retrieve.described import Description, Descriptions
from pacs.retrieve.dicomdir import Directory
from pacs.retrieve.frameset import FrameSet
from pacs.retrieve.lately import Lately
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.original import Originals
from pacs.retrieve.recoded import AsStored, Given
from pacs.retrieve.samples import Image
from pacs.retrieve.selection import StoredObject, Wanted
from pacs.retrieve.shapes import Shapes
from pacs.store import locations
from pacs.store.care import Reads
from pacs.store.disk import DiskBlob
from pacs.store.inflate import DEFLATED, inflate
from pacs.store.locations import Location
from pacs.store.reader import ColdBlob, Reader


class ByteSource(Protocol):
    """An open stored object; `size` in bytes. On the cold tier every read asks for just these bytes:
    `expect` tells what is read next, so that it comes at once; `fileno` has the whole fetched."""

    size: int

    def expect(self, offset: int, length: int) -> None: ...
    def at_hand(self, offset: int, length: int) -> bytes | None: ...
    def pread(self, offset: int, length: int) -> bytes: ...
    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


Opener = Callable[[StoredObject], ByteSource]
_NOTHING: Final = Wanted()
_LARGEST_TABLE: Final = 16 << 10  # bytes that are remembered of an instance; a slide can have many more


@dataclass(frozen=True, slots=True)
class MetadataEntry:
    """DICOM JSON of one instance; the byte 0x01 stands where its bulk data address begins."""

    key: InstanceKey
    json: bytes


class Chosen:
    """What a selection found: how many, in which (SOP class, transfer syntax) pairs, and each one."""

    def __init__(
        self, db: Database, conditions: lookup.Where, count: int, contexts: tuple[tuple[str, str], ...]
    ) -> None:
        self._db = db
        self._conditions = conditions
        self.count = count
        self.contexts = contexts

    def __iter__(self) -> Iterator[StoredObject]:
        for row in lookup.stream(self._db, self._conditions, *lookup.STORED_COLUMNS):
            yield StoredObject(InstanceKey(row[0], row[1], row[2]), *row[3:10])


@dataclass(frozen=True, slots=True)
class LookedUp:
    """`missing` are SOP Instance UIDs."""

    missing: frozenset[str]
    places: Mapping[tuple[str, str], Sequence[Location]]


class Retrieve:
    """Thread-safe; one per process."""

    def __init__(self, db: Database, reader: Reader, scratch: Path, looks: Looks, reads: Reads) -> None:
        self._db = db
        self._reader = reader
        self._scratch = scratch
        self._looks = looks
        self._reads = reads
        self._originals = Originals(db, self._find, scratch)
        self._shapes = Shapes()
        self._lately: Lately[InstanceKey, tuple[tuple[Any, ...], LookedUp]] = Lately()
        self.descriptions = Descriptions(db)

    def choose(self, actor: Actor, wanted: Wanted) -> Chosen:
        """Instances under the unique keys named. None at all is a count of 0.

        Raises Invalid when no key is given, Forbidden (audited)."""
        self._admit(actor, wanted, "objects")
        conditions = _conditions(wanted)
        with self._db.read() as tx:
            count, contexts = lookup.count_and_syntaxes(tx, conditions)
        return Chosen(self._db, conditions, count, contexts)

    def named(self, actor: Actor, uids: Iterable[str]) -> tuple[Chosen, ...]:
        """What UIDs of studies, series and instances stand for, a part for each of these levels.

        Raises NotFound for one that is none of them, Forbidden (audited)."""
        wanted = tuple(dict.fromkeys(uids))
        with self._db.read() as tx:
            levels = lookup.levels(tx, wanted)
        by_level = {level: tuple(uid for uid in wanted if levels.get(uid) is level) for level in Level}
        parts = (
            Wanted(studies=by_level[Level.STUDY]),
            Wanted(series=by_level[Level.SERIES]),
            Wanted(instances=by_level[Level.IMAGE]),
        )
        chosen = tuple(self.choose(actor, part) for part in parts if _conditions(part))
        unknown = [uid for uid in wanted if uid not in levels]
        if unknown:
            require(actor, Action.READ)
            raise NotFound(f"no study, series or instance has the UID {unknown[0][:64]}")
        return chosen

    def look_up(self, objects: Sequence[StoredObject]) -> LookedUp:
        """Where their bytes lie, all at once, and of which they are not there, so that the others can
        go without them."""
        with self._db.read() as tx:
            places = locations.of_many(tx, [one.key.instance for one in objects])
        return LookedUp(
            frozenset(
                one.key.instance
                for one in objects
                if not self._reader.has(places.get((one.key.instance, one.digest), ()))
                and not self._opens(one)
            ),
            places,
        )

    def _opens(self, stored: StoredObject) -> bool:
        """Whether it has but moved, or changed its form, since it was chosen."""
        try:
            with self._file(stored) as file:
                return file.size == stored.size
        except (NotFound, Unavailable, Conflict):
            return False

    def open(self, stored: StoredObject) -> ByteSource:
        """The Part 10 file that was chosen, whatever became of it since. Raises NotFound, Unavailable."""
        return self._file(stored)

    @property
    def abilities(self) -> Abilities:
        """What this process can convert."""
        return recoded.abilities()

    def give(self, stored: StoredObject, accepted: Collection[str], found: LookedUp | None = None) -> Given:
        """The object in one of these transfer syntaxes: in its own one whenever that is among them,
        else as it was received, else losslessly converted. Raises NotAcceptable, NotFound, Unavailable."""
        targets = negotiate.choices(
            stored.transfer_syntax, accepted, self.abilities, pixels=stored.frames > 0
        )
        if targets[:1] == (stored.transfer_syntax,):
            return AsStored(self._file(stored, found), stored)
        received = self._originals.of(stored, accepted)
        if received:
            return AsStored(received[1], received[0])
        if not targets:
            raise NotAcceptable("stored in a transfer syntax that is not accepted and not converted")
        return recoded.recode(self._plain(stored), stored, targets, self._scratch)

    def open_inside(self, stored: StoredObject) -> ByteSource:
        """The same with its data set readable by position, also where it is stored deflated."""
        return self._plain(stored)

    def metadata(self, actor: Actor, wanted: Wanted) -> Iterator[MetadataEntry]:
        """The stored JSON of every instance, in order; never parsed on the way."""
        self._admit(actor, wanted, "metadata", opens=False)
        return self._metadata(_conditions(wanted))

    def directory(self, uid: str) -> Directory:
        """An empty one, which is such an object itself. Close it."""
        return Directory(self._scratch, uid)

    def document(self, stored: StoredObject) -> bytes:
        """DICOM JSON of an object that was chosen. Raises NotFound, Unavailable when it has changed."""
        return self._document(stored)

    def described(self, actor: Actor, wanted: Wanted) -> Description:
        """The same of one study, series or instance, ready to be sent. Raises NotFound, Forbidden."""
        self._admit(actor, wanted, "metadata", often=True, opens=False)
        found = self.descriptions.of(wanted)
        if found is None:
            raise NotFound("nothing is stored under this address")
        return found

    def frames(self, actor: Actor, key: InstanceKey, numbers: tuple[int, ...]) -> FrameSet:
        """Frames by number from 1, in the order asked.

        Raises Invalid for a number below 1, NotFound for no such instance, frame or pixel data."""
        if any(number < 1 for number in numbers) or not numbers:
            raise Invalid("frame numbers begin at 1 (PS3.18 8.2)", hint="ask for .../frames/1")
        self._admit(actor, _only(key), "frames", often=True)
        row, found = self._located(key)
        return self._numbered(key, numbers, row, lambda stored: self._plain(stored, found))

    def frame_at_hand(self, actor: Actor, key: InstanceKey, number: int) -> FrameSet | None:
        """One frame of an instance that was asked for a moment ago, when nothing has to be written down and
        no query has to be made for it; else None. Opens its file and nothing else. Raises NotFound."""
        wanted = _only(key)
        if not self._looks.admitted(actor, Action.READ, asked=(wanted, "frames"), studies=wanted.studies):
            return None
        known = self._lately.get(key, self._db.version())
        if known is None or known[0][5] in DEFLATED or number < 1:
            return None
        row, found = known
        places = found.places[key.instance, row[8]]
        return self._numbered(key, (number,), row, lambda _stored: self._reader.open(places))

    def _numbered(
        self, key: InstanceKey, numbers: tuple[int, ...], row: tuple[Any, ...], opener: Opener
    ) -> FrameSet:
        if row[0] is None:
            raise NotFound("this instance has no frames that can be told apart")
        stored = StoredObject(key, *row[4:11])
        if any(number > stored.frames for number in numbers):
            raise NotFound(f"this instance has {stored.frames} frames")
        return self._frame_set(stored, row[0], numbers, opener)

    def all_frames(self, actor: Actor, key: InstanceKey) -> FrameSet | None:
        """Every frame in order; None where there is none, or none can be told apart."""
        self._admit(actor, _only(key), "frames", often=True)
        row, found = self._located(key)
        stored = StoredObject(key, *row[4:11])
        if row[0] is None or not stored.frames:
            return None
        numbers = tuple(range(1, stored.frames + 1))
        return self._frame_set(stored, row[0], numbers, lambda stored: self._plain(stored, found))

    def _frame_set(
        self, stored: StoredObject, table: bytes, numbers: tuple[int, ...], opener: Opener
    ) -> FrameSet:
        return FrameSet(stored, table, numbers, lambda: opener(stored), lambda: self._shape(stored))

    def samples(self, actor: Actor, wanted: Wanted) -> Iterator[Image]:
        """Every image, to be decoded frame by frame. Raises Invalid, Forbidden (audited)."""
        self._admit(actor, wanted, "samples")
        return samples.images(self._db, _conditions(wanted), self._plain)

    def bulkdata(self, actor: Actor, key: InstanceKey, path: str) -> BulkData:
        """One value by its path below `/bulkdata/`, e.g. `7FE00010` or `00540016/1/00181234`.

        Raises NotFound when there is no such value, Invalid when the path is none."""
        self._admit(actor, _only(key), "bulkdata", often=True)
        row, found = self._located(key)
        stored = StoredObject(key, *row[4:11])
        received = self._originals.of(stored) if original.is_value_of_pixels(path) else None
        if received:  # the metadata promises the value as it was received
            return bulk.find(received[1], received[0], path)
        return bulk.find(self._plain(stored, found), stored, path, row[0])

    def _metadata(self, conditions: lookup.Where) -> Iterator[MetadataEntry]:
        for row in lookup.stream(self._db, conditions, *lookup.JSON_COLUMNS):
            yield MetadataEntry(InstanceKey(row[0], row[1], row[2]), entries.expand(row[3]))

    def _shape(self, stored: StoredObject) -> FrameShape:
        return self._shapes.of(stored, lambda: self._document(stored))

    def _document(self, stored: StoredObject) -> bytes:
        """DICOM JSON of these very bytes."""
        row = self._row(stored.key, *lookup.STORED_COLUMNS, *lookup.JSON_COLUMNS[3:])
        now = StoredObject(stored.key, *row[3:10])
        if now != stored and not self._originals.is_form_of(now, stored):
            raise Unavailable("the instance was superseded a moment ago", hint="ask again")
        return entries.expand(row[10])

    def _plain(self, stored: StoredObject, found: LookedUp | None = None) -> ByteSource:
        """The file with its data set readable by position."""
        blob = self._file(stored, found)
        if stored.transfer_syntax not in DEFLATED:
            return blob
        with blob:
            return inflate(blob, stored.dataset_offset, self._scratch)

    def _file(self, stored: StoredObject, found: LookedUp | None = None) -> DiskBlob | ColdBlob:
        uid, digest = stored.key.instance, stored.digest
        if found is not None:
            with suppress(NotFound):  # it has moved since
                return self._reader.open(found.places.get((uid, digest), ()))
        try:
            return self._find(uid, digest)
        except NotFound:  # it is kept in another form by now
            return self._originals.chosen_before(stored) or self._find(uid, digest)

    def _find(self, sop_instance_uid: str, digest: str) -> DiskBlob | ColdBlob:
        """The file whose data set has this digest, wherever it lies."""

        def places() -> list[Location]:
            with self._db.read() as tx:
                return locations.of(tx, sop_instance_uid, digest)

        return self._reader.find(places)

    def _located(self, key: InstanceKey) -> tuple[tuple[Any, ...], LookedUp]:
        """The frame table and the stored columns of an instance, and where it lies: of one moment, in one
        transaction, as viewers ask this thousands of times. Raises NotFound."""
        version = self._db.version()
        with self._db.read() as tx:
            row = lookup.one(tx, key, lookup.FRAME_COLUMN, *lookup.STORED_COLUMNS)
            if row is None:
                raise NotFound("no such instance")
            digest = row[8]
            places = {(key.instance, digest): locations.of(tx, key.instance, digest)}
        known = tuple(row), LookedUp(frozenset(), places)
        if len(row[0] or b"") <= _LARGEST_TABLE:
            self._lately.keep(key, version, known)
        return known

    def _row(self, key: InstanceKey, *columns: Any) -> tuple[Any, ...]:
        with self._db.read() as tx:
            row = lookup.one(tx, key, *columns)
        if row is None:
            raise NotFound("no such instance")
        return tuple(row)

    def _admit(
        self, actor: Actor, wanted: Wanted, detail: str, *, often: bool = False, opens: bool = True
    ) -> None:
        """Ask the policy and write down who looks at whose data, before anything is given. What
        `opens` objects counts as reading their studies, which then belong on the hot tier."""
        if wanted == _NOTHING:
            raise Invalid("nothing was named to retrieve", hint="give a patient, study, series or instance")
        seen: set[str] = set()

        def whose(tx: Transaction) -> tuple[tuple[str, str], ...]:
            people = tuple(lookup.people(tx, _conditions(wanted)))
            seen.update(study for _, study in people)
            return people

        self._looks.admit(
            actor,
            Action.READ,
            whose,
            asked=(wanted, detail),
            detail=detail,
            often=often,
            studies=wanted.studies,
        )
        if opens and is_reader(actor):
            for study in seen:
                self._reads.note(study)


def is_reader(actor: Actor) -> bool:
    """Models and the archive itself look at studies too, which does not make them wanted."""
    return actor.scope is None and actor.channel != "system"


def _conditions(wanted: Wanted) -> lookup.Where:
    return lookup.where(wanted.patients, wanted.studies, wanted.series, wanted.instances)


def _only(key: InstanceKey) -> Wanted:
    return Wanted(studies=(key.study,), series=(key.series,), instances=(key.instance,))


__all__ = [
    "BulkData",
    "ByteSource",
    "Chosen",
    "Description",
    "FrameSet",
    "Given",
    "Image",
    "LookedUp",
    "MetadataEntry",
    "Retrieve",
]
