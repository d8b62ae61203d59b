"""What is done for a run, step by step: ask, let the answer change the order, keep it as an object.

Every step stands in the index before the next begins, and each may be done again: asking asks again,
storing the same report is a duplicate, and the list takes the same run once. So a process can die
anywhere; the errand's lease brings the run back to the step that was not done.
"""

import importlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from ai_routing import results, runs, triage, wire
from ai_routing.model import Answer, InstanceListed, Job, Model, SeriesListed
from ai_routing.runs import Run, State
from ai_routing.wire import About
from pacs import clock, log
from pacs.auth import grants
from pacs.auth.actor import system
from pacs.config import AiModel
from pacs.db.connection import Database, Transaction
from pacs.dicom import uids
from pacs.errors import Conflict, NotFound, PacsError, Unavailable
from pacs.index import survey
from pacs.index.survey import Object
from pacs.ingest.accept import Ingest
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Refused
from pacs.outbox.log import Told
from pacs.reading.model import Run as Spoken
from pacs.reading.reprioritise import Reprioritise
from pacs.retrieve.deliver import Retrieve
from pacs.retrieve.selection import Wanted

if TYPE_CHECKING:
    from ai_routing import report

AFTERGLOW_NS: Final = 60 * 10**9
"""How long the tokens of a run are good after its answer: who repeats it is not a stranger."""

BUILDERS: Final[Mapping[str, str]] = {
    "http": "ai_routing.remote:build",
    "python": "ai_routing.plugin:build",
    "onnx": "ai_routing.plugin:build",
}
_log = log.get(__name__)


class Archive(Protocol):
    """What a model's work may use of the archive. The reading list is not among it."""

    @property
    def db(self) -> Database: ...
    @property
    def ingest(self) -> Ingest: ...
    @property
    def retrieve(self) -> Retrieve: ...
    @property
    def reprioritise(self) -> Reprioritise: ...


def build(config: AiModel, archive: Any) -> Model:
    """The model that is configured. Raises Unavailable when this installation cannot run its kind."""
    module, _, function = BUILDERS[config.kind].partition(":")
    try:
        builder: Callable[[AiModel, Any], Model] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise Unavailable(
            f"the model {config.name} is of kind {config.kind}, which this installation cannot run",
            hint=f"install what it needs ({error})",
        ) from error
    return builder(config, archive)


class Dispatch:
    """The work of one model. Thread-safe."""

    def __init__(self, archive: Archive, config: AiModel, build_model: Callable[[], Model]) -> None:
        self._archive = archive
        self._db = archive.db
        self._config = config
        self._build = build_model
        self._model: Model | None = None
        self._me = system(f"ai {config.name}")

    def work(self, told: Told) -> None:
        """Everything that can be done now. Raises Unavailable when it has to be tried again."""
        name = str(told.payload["run"])
        run = self._get(name)
        try:
            if run.state is State.WAITING:
                self._ask(run)
                run = self._get(name)
                self._reorder(run)
                self._keep(self._get(name))
            elif run.state is State.ANSWERED:
                # It came by itself, and others may have come with it: first each takes its place in the
                # list, in a moment; storing the reports takes longer and comes behind.
                self._reorder(run, tell=True)
            else:
                self._keep(run)
        except Unavailable:
            raise
        except PacsError as error:
            reason = str(error)
            _log.warning("refused model=%s run=%s reason=%s", run.model, run.run, reason)
            self._db.transact(lambda tx: runs.refuse(tx, run.run, reason))

    def _get(self, name: str) -> Run:
        with self._db.read() as tx:
            run = runs.get(tx, name)
        if run is None:
            raise NotFound("no such run")
        return run

    def _ask(self, run: Run) -> None:
        if not self._db.transact(lambda tx: runs.count_question(tx, run.run)):
            return
        answer = self._ready().read(self._job(run))
        if answer is not None:
            accept(self._db, run, answer, self._about(run))
        else:
            until = clock.now_ns() + round(self._config.answer_seconds * 1e9)
            self._db.transact(lambda tx: runs.promised(tx, run.run, until))

    def _ready(self) -> Model:
        """With what its answer will need loaded, too: somebody waits for what follows the answer."""
        if self._model is None:
            importlib.import_module("ai_routing.report")
            self._model = self._build()
        return self._model

    def _about(self, run: Run) -> About:
        return about(self._db, run, self._config.version)

    def _job(self, run: Run) -> Job:
        with self._db.read() as tx:
            whole = survey.of(tx, run.study_uid)
            found = [one for one in survey.objects(tx, run.study_uid) if not uids.is_remark(one.sop_class)]
        if whole is None:
            raise NotFound("the study is not in the archive any more")
        series = groupby(found, key=lambda one: (one.series_uid, one.modality))
        return Job(
            run=run.run,
            study_uid=run.study_uid,
            patient_id=whole.patient_id,
            model=run.model,
            version=self._config.version,
            series=tuple(
                SeriesListed(
                    uid, modality, tuple(InstanceListed(o.uid, o.sop_class, o.frames) for o in objects)
                )
                for (uid, modality), objects in series
            ),
        )

    def _reorder(self, run: Run, *, tell: bool = False) -> None:
        """Let what was found change the order; with `tell`, the report is another piece of work."""
        if run.state is not State.ANSWERED:
            return
        answer = self._answer(run)
        spoken = Spoken(run.run, run.model, answer.version, run.ordinal)
        findings = tuple(triage.findings(answer))
        self._archive.reprioritise.by_findings(self._me, run.study_uid, spoken, findings)

        def work(tx: Transaction) -> None:
            if runs.reordered(tx, run.run) and tell:
                runs.tell(tx, run)

        self._db.transact(work)
        _log.info("reordered model=%s run=%s findings=%d", run.model, run.run, len(findings))

    def _keep(self, run: Run) -> None:
        """Store the report; with it the run is done."""
        if run.state is not State.REORDERED:
            return
        uid = self._store(run, self._answer(run))
        self._db.transact(lambda tx: runs.done(tx, run.run, uid))

    def _answer(self, run: Run) -> Answer:
        with self._db.read() as tx:
            body = runs.answer_of(tx, run.run)
        return wire.answer(body, self._about(run))

    def _store(self, run: Run, answer: Answer) -> str:
        """The SOP Instance UID of the report, which is there once this returns."""
        from ai_routing import report  # takes seconds to load, and only workers need it

        key = report.key_of(run.study_uid, run.model, run.run)
        with self._db.read() as tx:
            if survey.named(tx, run.study_uid, (key.instance,)):
                return key.instance
        data = report.write(self._told(run, answer))
        with self._archive.ingest.spool(self._me) as spooled:
            spooled.write(data)
            expected = Expected(run.study_uid, report.SOP_CLASS, key.instance)
            receipt = self._archive.ingest.accept(self._me, spooled, expected)
        if isinstance(receipt, Refused):
            raise Conflict(f"the report was refused: {receipt.reason}")
        return key.instance

    def _told(self, run: Run, answer: Answer) -> "report.Told":
        from ai_routing import report

        with self._db.read() as tx:
            whole = survey.of(tx, run.study_uid)
            known = survey.named(tx, run.study_uid, results.named(answer))
            first = next(
                (one for one in survey.objects(tx, run.study_uid) if not uids.is_remark(one.sop_class)), None
            )
            before = runs.report_before(tx, run)
        if whole is None or first is None:
            raise NotFound("the study is not in the archive any more")
        return report.Told(
            study_uid=run.study_uid,
            patient_id=whole.patient_id,
            model=run.model,
            run=run.run,
            ordinal=run.ordinal,
            at=datetime.fromtimestamp(run.answered_ns // 10**9, tz=UTC),
            answer=answer,
            like=self._like(run.study_uid, first),
            known=known or {first.uid: first},
            predecessor=before,
        )

    def _like(self, study_uid: str, one: Object) -> Mapping[str, Any]:
        wanted = Wanted(studies=(study_uid,), series=(one.series_uid,), instances=(one.uid,))
        entry = next(self._archive.retrieve.metadata(self._me, wanted), None)
        if entry is None:
            raise NotFound("the study is not in the archive any more")
        found: Mapping[str, Any] = orjson.loads(entry.json.replace(b"\x01", b""))
        return found


def about(db: Database, run: Run, version: str) -> About:
    """What an answer to the run has to be about. Raises NotFound."""
    with db.read() as tx:
        whole = survey.of(tx, run.study_uid)
    if whole is None:
        raise NotFound("the study is not in the archive any more")
    return About(run.run, run.study_uid, whole.patient_id, run.model, version)


def accept(db: Database, run: Run, answer: Answer, of: About, *, tell: bool = False) -> None:
    """Check the answer, wherever it comes from, and put it down; with `tell`, the worker learns of it
    by an event.

    The same answer again changes nothing. Raises Invalid, and Conflict when no answer is awaited."""
    body = wire.spelled(answer, of)
    checked = wire.answer(body, of)
    with db.read() as tx:
        results.check(checked, survey.named(tx, run.study_uid, results.named(checked)))
    digest = results.digest(body)

    def work(tx: Transaction) -> Run | None:
        if not runs.answered(tx, run.run, body, digest):
            return runs.get(tx, run.run)
        if tell:
            runs.tell(tx, run)
        grants.end(tx, run.run, clock.now_ns() + AFTERGLOW_NS)
        return None

    before = db.transact(work)
    if before is not None and before.answer_digest != digest:
        raise Conflict(
            f"no answer is awaited: the run is {before.state}",
            hint="a study to which more was added is asked about anew, in another run",
        )
