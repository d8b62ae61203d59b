"""What is left to do after the index has decided: the marker, and the bytes of what is purged.

Each step stands in the index before the next begins and may be done again by anybody, so a process
can die anywhere. A marker is written, changed and removed under the lock of its row: it never tells
of what is no longer so. What is purged is marked as purged before its first byte goes.
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
from pacs.store.eviction import Evictor
from pacs.store.markers import Marker, Markers, Told

_UNTOLD: Final = {"id", "state"}

Forget = Callable[[Iterator[str]], object]


class Finisher:
    """`collector` is None when there is no cold tier; `forget` is told the digests of objects whose
    pictures must not outlive them. Thread-safe; any number of processes may be at it."""

    def __init__(
        self,
        db: Database,
        markers: Markers,
        evictor: Evictor,
        collector: Collector | None,
        forget: Forget = lambda _digests: None,
    ) -> None:
        self._db = db
        self._markers = markers
        self._evictor = evictor
        self._collector = collector
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
            self._locked(one, State.PURGING, self._leave)
        if one.state is not State.TRASHED:
            self._evictor.finish()
        if one.state in {State.PURGING, State.PURGED}:
            self._collect(one)
            self._locked(one, State.PURGED, self._end)
        if one.state is State.RESTORED:
            self._locked(one, State.RESTORED, self._remove)

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
            self._remove(tx, one)

    def _remove(self, tx: Transaction, one: Deletion) -> None:
        self._markers.remove(markers.key_of(one.name, one.at_ns))
        deletions.forget(tx, one)

    def _collect(self, one: Deletion) -> None:
        if self._collector is not None:
            with self._db.read() as tx:
                keys = packs.of_study(tx, one.study_uid, one.series_uid)
            self._collector.collect(keys)

    def _forget_pictures(self, one: Deletion) -> None:
        with self._db.read() as tx:
            self._forget(laid.digest for laid in deletions.laid(tx, one))


def marker_of(tx: Transaction, one: Deletion, state: State) -> Marker:
    head: Told = {name: value for name, value in asdict(one).items() if name not in _UNTOLD}

    def lines() -> Iterator[Told]:
        return (asdict(laid) for laid in deletions.laid(tx, one))

    return Marker(markers.key_of(one.name, one.at_ns), head | {"state": state.value}, lines)


def tell(tx: Transaction, kind: Kind, one: Deletion) -> None:
    """Let the outbox know; the UIDs are those that the deletion named."""
    payload: dict[str, str | int] = {
        "deletion": one.name,
        "level": one.level,
        "instances": one.n_instances,
    }
    events.append(tx, Event(kind, one.study_uid, one.series_uid, one.sop_instance_uid, payload))
