"""Where the room meets the archive: its part of the crew, answers that come later, and what an
operator can see and do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ai_routing import dispatch, rules, runs, wire
from ai_routing.dispatch import Dispatch
from ai_routing.runs import Run, State
from pacs import clock, log
from pacs.audit.record import record
from pacs.auth import grants
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows, require
from pacs.config import AiConfig, AiModel
from pacs.db.connection import Database, Transaction
from pacs.errors import Forbidden, NotFound, PacsError
from pacs.index import survey
from pacs.outbox import deliveries
from pacs.outbox.crew import Chore
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand, Follower
from pacs.runtime import Archive

NAME: Final = "ai"
_BEYOND_S: Final = 30.0  # what a run takes beside the model's own time, at most
_AT_ONCE: Final = 100
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """A run as an operator sees it. `parked` says that it is tried no more until somebody asks."""

    run: Run
    attempts: int
    parked: bool
    reason: str


def contribute(archive: Archive) -> tuple[Follower | Errand | Chore, ...]:
    """The follower routes what has settled; each model has an errand of its own, so that one that
    hangs keeps none of the others waiting."""
    config = archive.config.ai
    router = Follower(
        NAME,
        frozenset({Kind.SETTLED, Kind.MODEL_RUN, Kind.DELETED}),
        partial(_route, config),
        from_start=False,
    )
    chore = Chore("ai", partial(look_after, archive.db, config), every_s=1.0)
    return (router, chore, *(_errand(archive, model) for model in config.models if model.enabled))


def _errand(archive: Archive, model: AiModel) -> Errand:
    work = Dispatch(archive, model, partial(dispatch.build, model, archive))
    return Errand(
        runs.subscriber(model.name),
        frozenset(),
        work.work,
        retry=Backoff(attempts=model.attempts),
        lease_s=model.timeout_seconds + _BEYOND_S,
        workers=model.workers,
    )


def _route(config: AiConfig, tx: Transaction, events: Sequence[Told]) -> None:
    for told in events:
        if told.kind == Kind.MODEL_RUN:
            runs.set_aside(tx, told)
        elif told.kind == Kind.DELETED:
            withdraw(tx, told.study_uid)
        else:
            ask(tx, config, told.study_uid, int(told.payload.get("generation", 1)))


def withdraw(tx: Transaction, study_uid: str) -> None:
    """Of a study that is not there any more nothing is asked and no answer is awaited; what was found
    stays with what may be restored."""
    if survey.of(tx, study_uid) is None:
        for run in runs.end_all(tx, study_uid):
            grants.end(tx, run, clock.now_ns())


def ask(tx: Transaction, config: AiConfig, study_uid: str, generation: int, *, anew: bool = False) -> int:
    """Begin a run of every model that the rules want, unless it has begun for this settling; returns
    how many."""
    whole = survey.of(tx, study_uid)
    if whole is None:
        return 0
    enabled = {model.name for model in config.models if model.enabled}
    begun = 0
    for one in rules.wanted(rules.study_of(whole), config.rules):
        if one.model in enabled and (anew or not runs.is_begun(tx, study_uid, one.model, generation)):
            runs.begin(tx, study_uid, one.model, generation, one.rule)
            begun += 1
    return begun


def look_after(db: Database, config: AiConfig) -> bool:
    """Ask again where a promised answer did not come; forget tokens that have expired."""
    with db.read() as tx:
        if not runs.overdue(tx, limit=1) and not grants.any_expired(tx):
            return False
    return db.transact(partial(_look_after, {model.name: model for model in config.models}))


def _look_after(models: dict[str, AiModel], tx: Transaction) -> bool:
    late = runs.overdue(tx, limit=_AT_ONCE)
    for run in late:
        model = models.get(run.model)
        if model is not None and run.asked < model.attempts:
            runs.ask_again(tx, run, anew=False)
        else:
            runs.refuse(tx, run.run, "the promised answer did not come")
    return bool(late) or grants.purge(tx) > 0


def receive(archive: Archive, actor: Actor, name: str, body: bytes) -> None:
    """An answer that comes later, with the token of its run. It is kept once this returns; the worker
    does the rest.

    Raises Forbidden, Invalid, NotFound, Conflict (no answer is awaited), each written down, and
    Unavailable."""
    try:
        _receive(archive, actor, name, body)
    except PacsError as error:
        scope = actor.scope
        study = scope.study if scope else ""
        with archive.db.write() as tx:
            outcome = type(error).__name__.lower()
            record(tx, actor, Action.ANSWER, outcome=outcome, study_uid=study, detail=f"run {name[:64]}")
        raise


def _receive(archive: Archive, actor: Actor, name: str, body: bytes) -> None:
    scope = actor.scope
    if scope is None or scope.run != name or not allows(actor, Action.ANSWER, (scope.study,)):
        raise Forbidden("findings are told with the token of their run, and with no other")
    with archive.db.read() as tx:
        run = runs.get(tx, name)
    if run is None:
        raise NotFound("no such run")
    version = next((model.version for model in archive.config.ai.models if model.name == run.model), "")
    of = dispatch.about(archive.db, run, version)
    dispatch.accept(archive.db, run, wire.answer(body, of), of, tell=True)
    with archive.db.write() as tx:
        record(
            tx, actor, Action.ANSWER, study_uid=run.study_uid, patient_id=of.patient_id, detail=f"run {name}"
        )


def shown(archive: Archive, actor: Actor, *, study_uid: str = "", limit: int = 100) -> tuple[Shown, ...]:
    """The latest runs, newest first. Raises Forbidden."""
    require(actor, Action.INSPECT)
    with archive.db.read() as tx:
        found = runs.of_study(tx, study_uid)[:limit] if study_uid else runs.latest(tx, limit=limit)
        return tuple(_shown(tx, run) for run in found)


def _shown(tx: Transaction, run: Run) -> Shown:
    aside = deliveries.aside(tx, runs.subscriber(run.model), (run.seq,)).get(run.seq)
    if aside is None:
        return Shown(run, run.asked, parked=False, reason=run.reason)
    return Shown(run, aside.attempts, parked=aside.parked_ns > 0, reason=aside.reason or run.reason)


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """How many runs of the model are where. `parked` and `refused` wait for an operator."""

    name: str
    configured: bool
    enabled: bool
    waiting: int
    asked: int
    done: int
    refused: int
    parked: int


def status(archive: Archive, actor: Actor) -> tuple[ModelStatus, ...]:
    """Every model that is configured or has ever been asked. Raises Forbidden."""
    require(actor, Action.INSPECT)
    models = {model.name: model for model in archive.config.ai.models}
    with archive.db.read() as tx:
        counts = runs.counts(tx)
        names = list(dict.fromkeys([*models, *sorted({name for name, _ in counts})]))
        parked = {name: deliveries.count_parked(tx, runs.subscriber(name)) for name in names}
    return tuple(
        ModelStatus(
            name=name,
            configured=name in models,
            enabled=name in models and models[name].enabled,
            waiting=sum(counts.get((name, state), 0) for state in (State.WAITING, *runs.KEPT)) - parked[name],
            asked=counts.get((name, State.ASKED), 0),
            done=counts.get((name, State.DONE), 0),
            refused=counts.get((name, State.REFUSED), 0),
            parked=parked[name],
        )
        for name in names
    )


def retry(archive: Archive, actor: Actor, name: str = "") -> int:
    """Try one run again, or all that were refused or given up; returns how many. Raises NotFound,
    Forbidden."""
    _operate(actor)

    def work(tx: Transaction) -> int:
        if name:
            run = runs.get(tx, name)
            if run is None:
                raise NotFound("no such run", hint="`pacs ai runs` lists them")
            found: Sequence[Run] = (run,)
        else:
            found = runs.stuck(tx, limit=1000)
        asked = [run for run in found if runs.ask_again(tx, run, anew=True)]
        for run in asked:
            record(tx, actor, Action.ANSWER, study_uid=run.study_uid, detail=f"retry {run.run}")
        return len(asked)

    return archive.db.transact(work)


def rerun(archive: Archive, actor: Actor, study_uid: str) -> int:
    """Ask every model that the rules want about the study anew; returns how many. Raises NotFound,
    Forbidden."""
    _operate(actor)

    def work(tx: Transaction) -> int:
        if survey.of(tx, study_uid) is None:
            raise NotFound("no such study")
        record(tx, actor, Action.ANSWER, study_uid=study_uid, detail="rerun")
        return ask(tx, archive.config.ai, study_uid, 0, anew=True)

    return archive.db.transact(work)


def _operate(actor: Actor) -> None:
    require(actor, Action.REPRIORITISE)
