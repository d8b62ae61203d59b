"""ONE QUERY: C-FIND, QIDO and the pages search here."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, Protocol

from pacs.audit.looks import Recent
from pacs.audit.record import record
from pacs.auth import policy
from pacs.auth.actor import Actor
from pacs.auth.policy import Action
from pacs.db.connection import Database
from pacs.db.interrupt import Interrupted
from pacs.dicom.attributes import keyword_of, tag_of
from pacs.errors import Forbidden, Invalid
from pacs.query import compile as sql
from pacs.query.answer import Assembler, DataSet, Stored, decode
from pacs.query.evaluate import matches
from pacs.query.model import Condition, DateTimeRange, Exact, FreeText, Match, Page, Query
from pacs.query.places import TOP, Place, Places
from pacs.query.plan import Plan, plan

PAGE_LIMIT = 1000  # matches of a page without a limit of its own
SCAN_LIMIT = 20_000  # rows held against stored JSON before the search is refused as too wide
_CHUNK = 500  # rows read at once
_CHUNK_OF_DOCUMENTS = 64  # the JSON of an enhanced multi-frame instance can be megabytes

_STUDY, _PATIENT = tag_of("StudyInstanceUID"), tag_of("PatientID")


Stop = Callable[[], bool]


def _never() -> bool:
    return False


class Recorder(Protocol):
    """Writes one row of the audit trail in the transaction it is given (pacs.audit.record)."""

    def __call__(
        self,
        tx: Any,
        actor: Actor,
        action: str,
        *,
        outcome: str = "ok",
        study_uid: str = "",
        patient_id: str = "",
        detail: str = "",
    ) -> None: ...


class Search:
    """Every method takes who asks first, raises Forbidden or Invalid before the first match, and
    leaves its trace in the audit trail. Thread-safe; no transaction stays open between matches."""

    def __init__(self, db: Database, audit: Recorder = record, *, scan_limit: int = SCAN_LIMIT) -> None:
        self._db = db
        self._audit = audit
        self._scan_limit = scan_limit
        self._written = Recent()
        self._places = Places()

    def page(self, actor: Actor, query: Query) -> Page:
        """At most `query.limit` matches from `query.offset` on, and whether there are more. Page after
        page is one list, whatever comes in meanwhile."""
        query = self._admit(actor, query)
        limit = PAGE_LIMIT if query.limit is None else query.limit
        reading = self._reading(query, begin=self._places.of(actor, query))
        found = list(islice(reading.matches(limit + 1), limit + 1))
        shown = found[:limit]
        if shown:
            self._places.keep(actor, query, len(shown), shown[-1][1])
        return Page(tuple(match for match, _ in shown), len(found) > limit, query.warnings)

    def count(self, actor: Actor, query: Query) -> int:
        """How many matches there are in all, whatever page is asked for.

        Raises Invalid when a search on stored JSON turns out too wide to be counted."""
        query = replace(self._admit(actor, query), offset=0, limit=None)
        how = plan(query)
        if how.residual:
            return sum(1 for _ in self._matches(query, None))
        with self._db.read() as tx:
            return sql.count(tx, how)

    def stream(self, actor: Actor, query: Query, stop: Stop = _never) -> Iterator[Match]:
        """Matches as they are read, in chunks; it ends when the consumer stops asking, or `stop` says
        so. While the database is at work that is called by another thread.

        Raises Invalid on the way when a search on stored JSON turns out too wide, and what `stop` does."""
        query = self._admit(actor, query)
        return self._matches(query, query.limit, stop)

    def _admit(self, actor: Actor, query: Query) -> Query:
        """The query as it may be answered: who is limited to one study finds nothing outside it."""
        try:
            policy.require(actor, Action.SEARCH, _named_studies(query) or policy.own(actor))
        except Forbidden:
            self._record(actor, query, "forbidden")
            raise
        if actor.scope is not None:
            only = Exact((_STUDY,), policy.own(actor))
            query = replace(query, conditions=(*query.conditions, only))
        self._record(actor, query, "ok")
        return query

    def _record(self, actor: Actor, query: Query, outcome: str) -> None:
        """A page of a list that is asked for again and again is one row for a while."""
        look = (actor, query.level, query.conditions, outcome)
        if outcome == "ok" and self._written.holds(look):
            return
        detail = " ".join([query.level.name, *dict.fromkeys(map(_name, query.conditions))])
        with self._db.write() as tx:
            for study_uid, patient_id in _whose(query):
                self._audit(
                    tx,
                    actor,
                    Action.SEARCH,
                    outcome=outcome,
                    study_uid=study_uid,
                    patient_id=patient_id,
                    detail=detail,
                )
        self._written.add(look)

    def _matches(self, query: Query, limit: int | None, stop: Stop = _never) -> Iterator[Match]:
        found = self._reading(query, stop).matches(limit)
        return (match for match, _ in islice(found, limit))

    def _reading(self, query: Query, stop: Stop = _never, *, begin: Place | None = None) -> "_Reading":
        return _Reading(self._db, query, plan(query), self._scan_limit, stop, begin)


class _Reading:
    """One query being answered."""

    def __init__(
        self, db: Database, query: Query, how: Plan, scan_limit: int, stop: Stop, begin: Place | None
    ) -> None:
        """`begin` is where the offset of the query is; None when rows have to be counted."""
        self._db = db
        self._query = query
        self._plan = how
        self._scan_limit = scan_limit
        self._stop = stop
        self._assembler = Assembler(query)
        self._stored = Stored()
        self._read = 0
        self._offset = query.offset if begin is None else 0
        self._after = (begin or TOP).position
        self._last = (begin or TOP).match  # a scan of a lower level meets it again

    def matches(self, limit: int | None) -> Iterator[tuple[Match, Place]]:
        """Each with the place behind it."""
        size = _CHUNK
        if self._plan.documents or self._assembler.needs_document:
            size = _CHUNK_OF_DOCUMENTS
        if self._plan.residual:
            yield from islice(self._chunks(size, 0), self._offset, None)
        else:
            yield from self._chunks(size if limit is None else min(size, max(limit, 1)), self._offset)

    def _chunks(self, size: int, offset: int) -> Iterator[tuple[Match, Place]]:
        after = self._after
        while not self._stop():
            try:
                with self._db.read(None if self._stop is _never else self._stop) as tx:
                    rows = sql.fetch(tx, self._plan, limit=size, offset=offset, after=after)
                    kept = self._fitting(tx, rows) if self._plan.residual else rows
                    documents = self._documents(tx, kept)
                    away = self._away(tx, kept)
            except Interrupted:
                return
            for row in kept:
                document = documents.get(row.definers[self._query.level])
                own = row.ids[self._query.level]
                match = self._assembler.match(row, decode(document) if document else {}, away=own in away)
                yield match, Place(row.position, own)
            self._read += len(rows)
            if len(rows) < size:
                return
            if self._plan.residual and self._read >= self._scan_limit:
                raise Invalid(
                    "the search reads too many stored objects",
                    hint="narrow it by date, patient or study",
                )
            after, offset = rows[-1].position, 0

    def _documents(self, tx: Any, rows: list[sql.Row]) -> dict[int, bytes]:
        if not self._assembler.needs_document:
            return {}
        return sql.documents(tx, (row.definers[self._query.level] for row in rows))

    def _away(self, tx: Any, rows: list[sql.Row]) -> frozenset[int]:
        if not self._assembler.tells_availability:
            return frozenset()
        level = self._query.level
        return sql.away(tx, level, (row.ids[level] for row in rows))

    def _fitting(self, tx: Any, rows: list[sql.Row]) -> list[sql.Row]:
        """The rows that fit what columns could not decide, the first of each match."""
        scan, documents = self._plan.scan, {}
        if self._plan.documents:
            documents = sql.documents(tx, (row.definers[scan] for row in rows))
        kept = []
        for row in rows:
            identity = row.ids[self._query.level]
            if identity == self._last:
                continue
            document = documents.get(row.definers[scan])
            dataset: DataSet = decode(document) if document else {}
            dataset = dataset | self._stored.attributes(row, scan)
            if all(matches(dataset, condition) for condition in self._plan.residual):
                kept.append(row)
                self._last = identity
        return kept


def _whose(query: Query) -> list[tuple[str, str]]:
    """(study UID, patient ID) of the audit rows: one for each that was asked for by name, so that the
    trail of a study or a patient holds every search for it."""
    studies, patients = _asked_for(query, _STUDY), _asked_for(query, _PATIENT)
    if len(studies) <= 1 and len(patients) <= 1:
        return [(studies[0] if studies else "", patients[0] if patients else "")]
    return [(study, "") for study in studies] + [("", patient) for patient in patients]


def _named_studies(query: Query) -> set[str]:
    named = (c.values for c in query.conditions if isinstance(c, Exact) and c.path == (_STUDY,))
    return {uid for values in named for uid in values}


def _asked_for(query: Query, tag: int) -> tuple[str, ...]:
    values = [c.values for c in query.conditions if isinstance(c, Exact) and c.path == (tag,)]
    return values[0] if values else ()


def _name(condition: Condition) -> str:
    if isinstance(condition, FreeText):
        return "text"
    path = condition.date if isinstance(condition, DateTimeRange) else condition.path
    return keyword_of(path[0])
