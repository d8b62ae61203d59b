"""What is left to do after the index has decided: the marker, and the bytes of what is purged.

Each step stands in the index before the next begins and may be done again by anybody, so a process
can die anywhere. A marker is written, changed and removed under the lock of its row: it never tells
of what is no longer so. What is purged is marked as purged before its first byte goes; where packs
hold it, on the cold tier as well.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Final

from pacs.db.connection import Database, Transaction
from pacs.index import deletions
from pacs.index.deletions import Deletion, State
from pacs.outbox import events
from pacs.outbox.events import Event, Kind
from pacs.store import markers, packs, trashed
from pacs.store.collect import Collector
from pacs.store.copies import Copies
from pacs.store.eviction import Evictor
from pacs.store.markers import Marker, Markers, Told

_UNTOLD: Final = {"id", "state"}

Forget = Callable[[Iterator[str]], object]


class Finisher:
    """`collector` and `copies` are None when there is no cold tier; `forget` is told the digests of
    objects whose pictures must not outlive them. Thread-safe; any number of processes may be at it."""

    def __init__(
        self,
        db: Database,
        markers: Markers,
        evictor: Evictor,
        collector: Collector | None,
        copies: Copies | None,
        forget: Forget = lambda _digests: None,
    ) -> None:
        self._db = db
        self._markers = markers
        self._evictor = evictor
        self._collector = collector
        self._copies = copies
        self._forget = forget

    def finish(self, name: str) -> None:
        """As far as it can be done now. Raises Unavailable when something it takes is away."""
        with self._db.read() as tx:
            one = deletions.get(tx, name)
            marked = deletions.is_marked(tx, name)
        if one is None:
            return
        if one.state is State.TRASHED and not marked:
            self._locked(one, State.TRASHED, self._mark)
        if one.state is State.PURGING:
            self._forget_pictures(one)
            if self._packs(one):
                self._copy_purged(one)
            self._locked(one, State.PURGING, self._leave)
        if one.state is not State.TRASHED:
            self._evictor.finish()
        if one.state in {State.PURGING, State.PURGED}:
            self._collect(one)
            self._locked(one, State.PURGED, self._end)
        if one.state is not State.TRASHED and self._is_over(one):
            if self._copies is not None:
                self._copies.remove(_key(one))
            self._locked(one, State.OVER, self._remove)

    def copy(self, name: str) -> None:
        """Let the cold tier know of it what is so. Raises Unavailable."""
        while self._copies is not None:
            with self._db.read() as tx:
                one = deletions.get(tx, name)
            if one is None or one.state is State.OVER:
                self._copies.remove(markers.key_of(name, 0))
            elif one.state is State.PURGING:
                self._copy_purged(one)
            else:
                self._copies.keep(_key(one))
            with self._db.read() as tx:
                if deletions.get(tx, name) == one:
                    return

    def uncopied(self) -> Iterator[str]:
        """Names of those that the cold tier does not know of. Raises Unavailable."""
        if self._copies is None:
            return
        known = frozenset(self._copies.names())
        with self._db.read() as tx:
            names = deletions.names(tx, (State.TRASHED, State.PURGED))
        yield from (name for name in names if name not in known)

    def fetch(self) -> int:
        """See `Copies.fetch`."""
        return 0 if self._copies is None else self._copies.fetch()

    def _locked(self, one: Deletion, state: State, step: Callable[[Transaction, Deletion], None]) -> None:
        """Do the step unless somebody else has done it."""

        def work(tx: Transaction) -> None:
            now = deletions.hold(tx, one.name)
            if now is not None and now.state is state:
                step(tx, now)

        self._db.transact(work)

    def _mark(self, tx: Transaction, one: Deletion) -> None:
        self._markers.put(marker_of(tx, one, State.TRASHED))
        deletions.set_marked(tx, one)

    def _leave(self, tx: Transaction, one: Deletion) -> None:
        self._markers.put(marker_of(tx, one, State.PURGED))
        trashed.leave(tx, one.id)
        deletions.set_marked(tx, one)
        deletions.set_state(tx, one, State.PURGED)
        tell(tx, Kind.PURGED, one)

    def _end(self, tx: Transaction, one: Deletion) -> None:
        """The marker stays while a pack of these series is there: it may hold what was purged, and
        an index made anew would believe the pack."""
        trashed.settle(tx, one.id)
        if not deletions.has_any(tx, one) and not packs.of_study(tx, one.study_uid, one.series_uid):
            deletions.set_state(tx, one, State.OVER)

    def _remove(self, tx: Transaction, one: Deletion) -> None:
        self._markers.remove(_key(one))
        deletions.forget(tx, one)

    def _is_over(self, one: Deletion) -> bool:
        with self._db.read() as tx:
            now = deletions.get(tx, one.name)
        return now is not None and now.state is State.OVER

    def _packs(self, one: Deletion) -> tuple[str, ...]:
        with self._db.read() as tx:
            return packs.of_study(tx, one.study_uid, one.series_uid)

    def _copy_purged(self, one: Deletion) -> None:
        if self._copies is not None:
            with self._db.read() as tx:
                self._copies.put(marker_of(tx, one, State.PURGED))

    def _collect(self, one: Deletion) -> None:
        if self._collector is not None:
            self._collector.collect(self._packs(one))

    def _forget_pictures(self, one: Deletion) -> None:
        with self._db.read() as tx:
            self._forget(laid.digest for laid in deletions.laid(tx, one))


def marker_of(tx: Transaction, one: Deletion, state: State) -> Marker:
    head: Told = {name: value for name, value in asdict(one).items() if name not in _UNTOLD}

    def lines() -> Iterator[Told]:
        return (asdict(laid) for laid in deletions.laid(tx, one))

    return Marker(_key(one), head | {"state": state.value}, lines)


def _key(one: Deletion) -> str:
    return markers.key_of(one.name, one.at_ns)


def tell(tx: Transaction, kind: Kind, one: Deletion) -> None:
    """Let the outbox know; the UIDs are those that the deletion named."""
    payload: dict[str, str | int] = {
        "deletion": one.name,
        "level": one.level,
        "instances": one.n_instances,
    }
    events.append(tx, Event(kind, one.study_uid, one.series_uid, one.sop_instance_uid, payload))
