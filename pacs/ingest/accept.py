"""spool -> examine -> durable put -> one transaction -> receipt (success only after the last)."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from functools import partial

from pacs.audit.record import record
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, own, require
from pacs.db.connection import Database, Transaction
from pacs.dicom import header, uids
from pacs.dicom.header import FileMeta
from pacs.dicom.level import Level
from pacs.index import catalog, patient, recompressions, thrown
from pacs.index.entry import Entry
from pacs.ingest.atrest import examine_at_rest, has_note, without_note
from pacs.ingest.examine import RULES, Broken, Expected, examine, file_meta
from pacs.ingest.pending import Pending
from pacs.ingest.receipt import Duplicate, Receipt, Refused, Stored, Superseded
from pacs.outbox import events
from pacs.store import layout, locations, packs, quarantined, trashed
from pacs.store.disk import DiskStore
from pacs.store.locations import Location
from pacs.store.quarantined import Quarantined
from pacs.store.spool import Spool, Spooled
from pacs.store.writer import Writer, quarantine, quarantine_key, withdraw


class _Fate(Enum):
    STORED = "stored"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    FORMER = "former"  # other bytes, received before those that are current by now
    KEPT_FIRST = "keep-first"


class _Seen(Enum):
    """What the index says of an instance before its bytes are kept."""

    NEVER = "never"
    HERE = "here"
    OTHERWISE = "with other bytes"


class _Tell(Enum):
    """What the outbox is told of an object that is recorded."""

    NEWS = "news"
    AGAIN = "again"  # it may have been told before, and the disk has lost that
    NOTHING = "nothing"


_RECORDED = {_Fate.STORED, _Fate.SUPERSEDED, _Fate.FORMER}


class Ingest:
    """Thread-safe; one per process."""

    def __init__(
        self,
        db: Database,
        hot: DiskStore,
        quarantined: DiskStore,
        spool: Spool,
        *,
        durable: bool,
        keep_first: bool,
    ) -> None:
        self._db = db
        self._hot = hot
        self._quarantined = quarantined
        self._spool = spool
        self._writer = Writer(hot, durable=durable)
        self._pending = Pending(self._writer, db.flush, self.drop)
        self._durable = durable
        self._keep_first = keep_first

    def spool(self, actor: Actor) -> Spooled:
        """An empty file for the object to stream into; use it in a `with` block.

        Raises Forbidden (audited) and Unavailable."""
        self.admit(actor)
        return self._spool.create()

    def admit(self, actor: Actor) -> None:
        """Raises Forbidden (audited) for who may store nothing."""
        self._admit(actor, own(actor))

    def accept(self, actor: Actor, spooled: Spooled, expected: Expected = Expected()) -> Receipt:  # noqa: B008 - frozen
        """Keep the object and answer what became of it. Nothing is acknowledged before its bytes
        and its index row are durable.

        Of an actor that is limited to a study only results are taken, of that study and its patient,
        and none takes the place of what is there.

        Raises Unavailable when disk or index cannot take it now, and Forbidden; nothing of it remains
        then."""
        expected = self._confined(actor, expected)
        spooled.seal()
        try:
            meta, proper = file_meta(spooled)
            if not proper:
                with self._completed(spooled, meta, expected) as whole:
                    return self.accept(actor, whole, expected)
            if has_note(spooled, meta):
                with without_note(self._spool, spooled, meta) as whole:
                    return self.accept(actor, whole, expected)
            entry = examine(spooled, meta, expected)
            if actor.scope is not None:
                self._check_result(entry)
        except Broken as broken:
            return self._refuse(actor, spooled, broken)
        return self._keep(actor, spooled, entry)

    def refuse(self, actor: Actor, broken: Broken) -> Refused:
        """Of which there are no bytes to keep."""
        with self._db.write() as tx:
            _tell_refusal(tx, actor, broken, "")
        return Refused(broken.rule, str(broken), broken.sop_class, broken.sop_instance)

    def drop(self, key: str) -> bool:
        """Remove a file that was placed and not recorded; False for one that is recorded. Only for files
        of the dead, and of those who have given up. Raises Unavailable."""
        if self._is_recorded(key):
            return False
        self._hot.remove(key)
        return True

    def finish_refusal(self, actor: Actor, spooled: Spooled) -> bool:
        """Note what a dead process had refused; False for what is not in quarantine. Raises Unavailable."""
        key = quarantine_key(spooled)
        if not self._quarantined.is_same(key, spooled.fileno()):
            return False
        with self._db.read() as tx:
            if quarantined.is_recorded(tx, key):
                return True
        quarantine(self._quarantined, spooled, durable=self._durable)
        self._note_refusal(actor, spooled, _why_refused(spooled), key)
        return True

    def finish(self, actor: Actor, spooled: Spooled, key: str) -> str:
        """Take up what a dead process had spooled whole but may not have recorded, or recorded at a place
        whose name the disk has lost. `key` is the place where the file stands, if it does.

        Returns where it is now, empty for one that is not wanted; it is for the caller to make that
        durable. Raises Broken and Unavailable."""
        entry = examine_at_rest(self._spool, spooled)
        with self._db.read() as tx:
            if key and locations.is_recorded(tx, layout.HOT, key):
                return key
            places = locations.of(tx, entry.key.instance, entry.digest)
            if thrown.find(tx, entry) is not None:
                return ""
        for place in places:
            if place.tier == layout.HOT and not self._hot.exists(place.key):
                self._writer.link(spooled, place.key)
                return place.key
        key = key or self._writer.place(
            spooled, entry.key, only_new=spooled.only_new, taken=self._is_recorded
        )
        receipt = self._settle(actor, entry, key, spooled, tell=_Tell.AGAIN)
        return key if isinstance(receipt, Stored | Superseded) else ""

    def make_durable(self, keys: Iterable[str]) -> None:
        """What stands at these places, and all that is recorded. Raises Unavailable."""
        if self._durable:
            self._pending.make_durable(keys)

    def release(self, links: Iterable[str]) -> None:
        """Remove spooled files of the dead. Raises Unavailable."""
        self._writer.release(links)

    def flush(self) -> None:
        """Returns when nothing that was accepted needs its spooled file any more. Raises Unavailable."""
        self._pending.flush()

    def close(self) -> None:
        self._pending.close()

    def restore(self, actor: Actor, stored: Spooled, key: str, *, place: Location | None = None) -> bool:
        """Record a file of the hot tier, or one that lies at `place`, in an index that does not know
        it; the file stays as it is.

        Other bytes under one UID are versions, whatever the policy is today. What was deleted is in the
        trash again, or goes for good. Raises Broken.
        False when the same data set is already recorded from another file. When that one holds it in
        another form, one of the two was about to go when a process died: this one goes now."""
        entry = examine_at_rest(self._spool, stored)
        location = place or Location(layout.HOT, key, 0, entry.size)

        def record_again(_hope: bool, tx: Transaction) -> _Fate:  # noqa: FBT001 - as _transact calls
            if _is_thrown(tx, entry, location):
                return _Fate.STORED
            fate = self._settled(tx, actor, entry, location, keep_first=False, tell=_Tell.NOTHING)
            if fate is _Fate.DUPLICATE and location.tier == layout.HOT and _in_other_form(tx, entry):
                packs.leave(tx, key)
            return fate

        return self._transact(record_again) is not _Fate.DUPLICATE

    def requarantine(self, actor: Actor, stored: Spooled, key: str) -> None:
        """Record a quarantined file in an index that does not know it."""
        broken = _why_refused(stored)
        with self._db.write() as tx:
            quarantined.note(tx, _kept(actor, stored, broken, key))

    def _admit(self, actor: Actor, studies: tuple[str, ...]) -> None:
        if not allows(actor, Action.STORE, studies):
            with self._db.write() as tx:
                record(tx, actor, Action.STORE, outcome="forbidden", study_uid="".join(studies)[:64])
            require(actor, Action.STORE, studies)

    def _confined(self, actor: Actor, expected: Expected) -> Expected:
        if actor.scope is None:
            return expected
        self._admit(actor, (expected.study,) if expected.study else own(actor))
        return replace(expected, study=actor.scope.study)

    def _check_result(self, entry: Entry) -> None:
        """Raises Broken."""
        rule = "" if uids.is_result(entry.sop_class) else "no-result"
        with self._db.read() as tx:
            whose = patient.identity_of(tx, entry.key.study)
        found = entry.levels[Level.PATIENT]
        if not rule and whose != (found["patient_id"], found["issuer_of_patient_id"]):
            rule = "expected-patient"
        if rule:
            raise Broken(rule, RULES[rule], sop_class=entry.sop_class, sop_instance=entry.key.instance)

    def _completed(self, spooled: Spooled, meta: FileMeta, expected: Expected) -> Spooled:
        """A Part 10 file of a data set that came without its File Meta Information."""
        whole = self._spool.create()
        try:
            probe = _probe_uids(spooled, meta, expected)
            whole.begin(
                header.part10_prefix(
                    sop_class=probe[0], sop_instance=probe[1], transfer_syntax=meta.transfer_syntax
                )
            )
            for chunk in spooled.chunks(meta.dataset_offset):
                whole.write(chunk)
        except BaseException:
            whole.discard()
            raise
        return whole

    def _keep(self, actor: Actor, spooled: Spooled, entry: Entry) -> Receipt:
        known = self._known(entry)
        if known is _Seen.HERE:
            return self._answer(self._record_duplicate(actor, entry), entry)
        if self._durable:
            key = self._writer.place(spooled, entry.key, only_new=actor.scope is not None)
        else:
            key = self._writer.put(spooled, entry.key)
        return self._settle(actor, entry, key, spooled, new=known is _Seen.NEVER)

    def _settle(
        self,
        actor: Actor,
        entry: Entry,
        key: str,
        spooled: Spooled,
        *,
        new: bool = False,
        tell: _Tell = _Tell.NEWS,
    ) -> Receipt:
        """`new`: its UID was not known a moment ago, so that is tried first."""
        location = Location(layout.HOT, key, 0, entry.size)
        keep_first = self._keep_first or actor.scope is not None or spooled.only_new
        try:
            fate = self._transact(
                lambda hope, tx: self._settled(
                    tx, actor, entry, location, keep_first=keep_first, new=new and hope, tell=tell
                ),
                later=True,
            )
        except BaseException:
            recorded = withdraw(self._db, self._hot, key, spooled)
            if tell is _Tell.NEWS:
                self._follow_up(spooled, key, recorded=recorded)
            raise
        receipt = self._answer(fate, entry)
        if fate in {_Fate.DUPLICATE, _Fate.KEPT_FIRST}:
            self._hot.remove(key)
            if fate is _Fate.KEPT_FIRST:
                receipt = self._refuse(actor, spooled, _not_the_first(entry))
            if self._durable and tell is _Tell.NEWS:
                # Another one came in between. A start that found it would store it, should the first be
                # deleted by then.
                self._writer.release([spooled.place])
        if fate in _RECORDED and self._durable and tell is _Tell.NEWS:
            self._pending.add(spooled, key)
        return receipt

    def _transact(self, work: Callable[[bool, Transaction], _Fate], *, later: bool = False) -> _Fate:
        """`work` is told whether nothing has come in its way yet."""
        hope = True
        while True:
            try:
                return self._db.transact(partial(work, hope), later=later)
            except catalog.Moved:
                hope = False

    def _known(self, entry: Entry) -> "_Seen":
        with self._db.read() as tx:
            known = catalog.find(tx, entry.key.instance)
            if known is None:
                return _Seen.NEVER
            return _Seen.HERE if catalog.holds(tx, known, entry) else _Seen.OTHERWISE

    def _follow_up(self, spooled: Spooled, key: str, *, recorded: bool | None) -> None:
        """Its sender was told that it failed."""
        if recorded is None:
            self._pending.doubt(spooled, key)
        elif recorded and self._durable:
            self._pending.add(spooled, key)

    def _is_recorded(self, key: str) -> bool:
        with self._db.read() as tx:
            return locations.is_recorded(tx, layout.HOT, key)

    def _record_duplicate(self, actor: Actor, entry: Entry) -> _Fate:
        with self._db.write() as tx:
            _audit(tx, actor, entry, _Fate.DUPLICATE)
        return _Fate.DUPLICATE

    def _settled(
        self,
        tx: Transaction,
        actor: Actor,
        entry: Entry,
        location: Location,
        *,
        keep_first: bool,
        tell: _Tell = _Tell.NEWS,
        new: bool = False,
    ) -> _Fate:
        """Everything that must be true together, in one transaction. What is only recorded again
        is not told again."""
        known = None if new else catalog.hold(tx, entry.key.instance)
        if known is None:
            instance_id = catalog.insert(tx, entry)
            if instance_id is None:
                raise catalog.Moved
            locations.add(tx, instance_id, location)
            fate = _Fate.STORED
        else:
            fate = _met(tx, known, entry, location, keep_first=keep_first)
        if fate in _RECORDED:
            recompressions.note(tx, entry)
        if tell is _Tell.NOTHING:
            return fate
        if fate is not _Fate.KEPT_FIRST:
            _audit(tx, actor, entry, fate)
        if fate in _RECORDED:
            kind = events.Kind.STORED if fate is _Fate.STORED else events.Kind.SUPERSEDED
            payload: dict[str, str | int] = {"digest": entry.digest, "sop_class": entry.sop_class}
            if actor.scope is not None:
                payload["run"] = actor.scope.run
            events.append(
                tx, events.Event(kind, entry.key.study, entry.key.series, entry.key.instance, payload)
            )
            if tell is _Tell.AGAIN:
                events.leap(tx)
        return fate

    def _refuse(self, actor: Actor, spooled: Spooled, broken: Broken) -> Refused:
        """Keep the bytes for the administrator, tell the outbox, leave a trace in the audit."""
        key = quarantine(self._quarantined, spooled, durable=self._durable) if spooled.size else ""
        try:
            self._note_refusal(actor, spooled, broken, key)
        except BaseException:
            if key:
                self._quarantined.remove(key)
            raise
        return Refused(broken.rule, str(broken), broken.sop_class, broken.sop_instance)

    def _note_refusal(self, actor: Actor, spooled: Spooled, broken: Broken, key: str) -> None:
        with self._db.write() as tx:
            if key:
                quarantined.note(tx, _kept(actor, spooled, broken, key))
            _tell_refusal(tx, actor, broken, key)

    def _answer(self, fate: _Fate, entry: Entry) -> Receipt:
        match fate:
            case _Fate.STORED:
                return Stored(entry.key, entry.sop_class, entry.digest, entry.remark)
            case _Fate.SUPERSEDED | _Fate.FORMER:
                return Superseded(entry.key, entry.sop_class, entry.digest, entry.remark)
            case _:
                return Duplicate(entry.key, entry.sop_class, entry.digest)


def _met(
    tx: Transaction, known: catalog.Known, entry: Entry, location: Location, *, keep_first: bool
) -> _Fate:
    """The SOP Instance UID is taken."""
    if catalog.holds(tx, known, entry):
        return _Fate.DUPLICATE
    if keep_first:
        return _Fate.KEPT_FIRST
    if (entry.received_ns, entry.received_digest) < (known.received_ns, known.received_digest):
        catalog.add_former(tx, known, entry, location.key, tier=location.tier, offset=location.offset)
        return _Fate.FORMER
    former = locations.replace(tx, known.id, location)
    catalog.supersede(tx, known, entry, former.key, tier=former.tier, offset=former.offset)
    return _Fate.SUPERSEDED


def _is_thrown(tx: Transaction, entry: Entry, location: Location) -> bool:
    """Put a file that was deleted back into the trash."""
    found = thrown.find(tx, entry)
    if found is None:
        return False
    if location.tier == layout.HOT and (found.purged or found.other_form):
        packs.leave(tx, location.key)
        location = replace(location, tier=trashed.LEAVING)
    if found.purged or not found.other_form:
        trashed.lies(tx, found.id, location)
    if not found.other_form:
        thrown.fill(tx, found, entry)
        recompressions.note(tx, entry)
    return True


def _in_other_form(tx: Transaction, entry: Entry) -> bool:
    known = catalog.find(tx, entry.key.instance)
    return known is not None and not catalog.rests(tx, known, entry)


def _not_the_first(entry: Entry) -> Broken:
    uid = entry.key.instance
    return Broken("keep-first", RULES["keep-first"], sop_class=entry.sop_class, sop_instance=uid)


def _why_refused(stored: Spooled) -> Broken:
    """As far as the file tells."""
    try:
        meta, proper = file_meta(stored)
        if proper:
            examine(stored, meta, Expected())
    except Broken as broken:
        return broken
    return Broken("keep-first", RULES["keep-first"])


def _tell_refusal(tx: Transaction, actor: Actor, broken: Broken, key: str) -> None:
    record(tx, actor, Action.STORE, outcome="refused", detail=broken.rule)
    payload: dict[str, str | int] = {"rule": broken.rule, "key": key}
    uid = broken.sop_instance[:64]
    events.append(tx, events.Event(events.Kind.REFUSED, sop_instance_uid=uid, payload=payload))


def _probe_uids(spooled: Spooled, meta: FileMeta, expected: Expected) -> tuple[str, str]:
    """SOP class and instance for the File Meta Information that is to be written."""
    if expected.sop_class and expected.sop_instance:
        return expected.sop_class, expected.sop_instance
    entry = examine(spooled, meta, Expected())
    return entry.sop_class, entry.key.instance


def _audit(tx: Transaction, actor: Actor, entry: Entry, fate: _Fate) -> None:
    record(
        tx,
        actor,
        Action.STORE,
        study_uid=entry.key.study,
        patient_id=entry.levels[Level.PATIENT]["patient_id"],
        detail=f"{fate.value} {entry.key.instance}",
    )


def _kept(actor: Actor, spooled: Spooled, broken: Broken, key: str) -> Quarantined:
    return Quarantined(
        at_ns=spooled.received_ns,
        rule=broken.rule,
        reason=str(broken),
        key=key,
        digest=spooled.digest,
        size=spooled.size,
        actor=actor.name,
        origin=actor.origin,
        sop_instance_uid=broken.sop_instance[:64],
    )
