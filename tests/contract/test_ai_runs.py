"""What is done for a run, step by step: each step may be interrupted, repeated, or come too late."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pydicom
import pytest

from ai_routing import dispatch, runs, service, wire
from ai_routing.dispatch import Dispatch
from ai_routing.model import Answer, FindingSaid, Job, Reference, Severity
from ai_routing.runs import Run, State
from pacs import clock
from pacs.auth import grants
from pacs.auth.actor import Actor, Scope
from pacs.config import AiModel
from pacs.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from pacs.outbox import events, log
from pacs.outbox.events import Event, Kind
from pacs.outbox.subscriber import Errand, Follower, enrol, serve
from pacs.reading.arrivals import Arrivals
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import ct_series, with_changes

TOML = """
[[ai.models]]
name = "m"
url = "http://127.0.0.1:9/jobs"
version = "1.0"
attempts = 2
answer_seconds = 1

[[ai.rules]]
name = "CT"
model = "m"
modalities = ["CT"]
"""
BLEED = FindingSaid("bleed", Severity.CRITICAL, 1.0)
NONE = Answer("1.0", ())


class Died(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Scripted:
    """A model that answers what it is told to."""

    says: Answer | Exception | None = NONE
    asked: list[Job] = field(default_factory=list)

    def read(self, job: Job) -> Answer | None:
        self.asked.append(job)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@dataclass(slots=True)
class Setting:
    archive: Archive
    model: Scripted

    def __post_init__(self) -> None:
        enrol(self.archive.db, self.subscribers())

    def subscribers(self) -> list[Follower | Errand]:
        """As the crew has them, with the scripted model in the place of the one over HTTP."""
        found: list[Follower | Errand] = [Arrivals().follower()]
        for one in service.contribute(self.archive):
            if isinstance(one, Errand):
                (config,) = self.archive.config.ai.models
                work = Dispatch(self.archive, config, lambda: self.model).work
                found.append(replace(one, work=work))
            elif isinstance(one, Follower):
                found.append(one)
        return found

    def turn(self) -> None:
        """Until nobody has anything to do now."""
        while any(serve(self.archive.db, one) for one in self.subscribers()):
            pass

    def settle(self, study: str, generation: int = 1) -> None:
        with self.archive.db.write() as tx:
            events.append(tx, Event(Kind.SETTLED, study, payload={"generation": generation}))
        self.turn()

    def runs(self, study: str) -> list[Run]:
        with self.archive.db.read() as tx:
            return list(runs.of_study(tx, study))

    def look_after(self) -> bool:
        return service.look_after(self.archive.db, self.archive.config.ai)

    def states(self, study: str) -> list[str]:
        return [run.state.value for run in self.runs(study)]

    def reports(self, study: str) -> list[pydicom.Dataset]:
        found: list[pydicom.Dataset] = []
        for stored in self.archive.retrieve.choose(ME, Wanted(studies=(study,))):
            if stored.sop_class.startswith("1.2.840.10008.5.1.4.1.1.88"):
                with self.archive.retrieve.open(stored) as source:
                    found.append(pydicom.dcmread(io.BytesIO(b"".join(source.chunks()))))
        return found

    def order(self) -> list[tuple[str, float]]:
        return [(item.study_uid, item.urgency) for item in self.archive.worklist.page(ME).items]

    def study(self, **changes: Any) -> DicomObject:
        (item,) = ct_series(1, rows=8, columns=8)
        item = with_changes(item, **changes) if changes else item
        put(self.archive, item.part10())
        return item

    def token(self, run: Run) -> Actor:
        with self.archive.db.write() as tx:
            shown = grants.issue(tx, "m", Scope(run.study_uid, run.run), clock.now_ns() + 10**12)
        actor = self.archive.door.caller(f"Bearer {shown}", "10.0.0.1")
        assert actor is not None
        return actor


def body_of(run: Run, *findings: FindingSaid, patient: str = "SYN-1") -> bytes:
    about = wire.About(run.run, run.study_uid, patient, "m", "1.0")
    return wire.spelled(Answer("1.0", findings), about)


@pytest.fixture
def setting(opened: Opener) -> Setting:
    return Setting(opened(toml=TOML), Scripted())


def test_a_settling_is_asked_about_once_and_the_answer_kept(setting: Setting) -> None:
    quiet, item = setting.study(), setting.study()
    setting.settle(quiet.study)
    setting.model.says = Answer("1.0", (replace(BLEED, references=(Reference(item.series, item.instance),)),))
    setting.settle(item.study)
    setting.settle(item.study)
    job = setting.model.asked[-1]
    assert (job.study_uid, job.patient_id, job.version) == (item.study, "SYN-1", "1.0")
    assert [one.instances[0].uid for one in job.series] == [item.instance]
    assert len(setting.model.asked) == 2
    assert setting.states(item.study) == ["done"]
    assert setting.order() == [(item.study, 1.0), (quiet.study, 0.0)]
    (report,) = setting.reports(item.study)
    assert report.SOPInstanceUID == setting.runs(item.study)[0].report_uid
    assert len(setting.reports(quiet.study)) == 1, "that nothing was found is said too"


def test_more_of_a_study_is_asked_about_anew_and_the_former_report_is_named(setting: Setting) -> None:
    setting.model.says = Answer("1.0", (BLEED,))
    item = setting.study()
    setting.settle(item.study)
    (more,) = ct_series(1, study=item.study)
    put(setting.archive, more.part10())
    setting.model.says = NONE
    setting.settle(item.study, 2)
    assert setting.states(item.study) == ["done", "done"]
    assert len(setting.model.asked[-1].series) == 2, "without the report of the first run"
    assert setting.order() == [(item.study, 0.0)]
    first, second = sorted(setting.reports(item.study), key=lambda one: int(one.InstanceNumber))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    (before,) = second.PredecessorDocumentsSequence
    named = before.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == first.SOPInstanceUID


def test_its_own_report_is_no_question(setting: Setting) -> None:
    """Neither is anything that is not acquired: a study of reports goes to no model."""
    setting.model.says = Answer("1.0", (BLEED,))
    item = setting.study()
    setting.settle(item.study)
    (report,) = setting.reports(item.study)
    alone = setting.study(Modality="SR", SOPClassUID=report.SOPClassUID)
    setting.settle(alone.study)
    assert setting.runs(alone.study) == []
    with setting.archive.db.read() as tx:
        stored = [told for told in log.read(tx, log.START, 1000) if told.study_uid == item.study]
    assert [told.kind for told in stored].count("stored") == 2


@pytest.mark.parametrize(
    ("step", "left"),
    [
        ("answered", "answered"),
        ("reordered", "answered"),
        ("report", "reordered"),
        ("stored", "reordered"),
        ("done", "reordered"),
    ],
)
def test_a_process_that_dies_between_two_steps_leaves_work_that_is_done_once(
    setting: Setting, step: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_routing import report as reports

    setting.model.says = Answer("1.0", (BLEED,))
    item = setting.study()
    with monkeypatch.context() as patched:
        match step:
            case "answered":
                patched.setattr(dispatch, "accept", _then_die(dispatch.accept))
            case "report":
                patched.setattr(reports, "write", _die)
            case "stored":
                patched.setattr(Dispatch, "_store", _then_die(Dispatch._store))
            case "reordered":
                kind = type(setting.archive.reprioritise)
                patched.setattr(kind, "by_findings", _then_die(kind.by_findings))
            case "done":
                patched.setattr(runs, "done", _die)
        with pytest.raises(Died):
            setting.settle(item.study)
    assert setting.states(item.study) == [left]
    with setting.archive.db.write() as tx:
        tx.exec_driver_sql("UPDATE deliveries SET due_ns = 0")  # the lease is over
    setting.turn()
    assert setting.states(item.study) == ["done"]
    assert len(setting.model.asked) == 1, "what was answered is not asked again"
    assert len(setting.reports(item.study)) == 1
    assert setting.order() == [(item.study, 1.0)]
    assert len(setting.archive.worklist.findings(ME, item.study)) == 1
    assert list(setting.archive.checker.check(deep=True)) == []


def _die(*_: Any, **__: Any) -> Any:
    raise Died


def _then_die(real: Callable[..., Any]) -> Callable[..., Any]:
    def work(*arguments: Any, **named: Any) -> Any:
        real(*arguments, **named)
        raise Died

    return work


def test_what_was_refused_or_given_up_waits_for_an_operator(setting: Setting) -> None:
    refused, given_up = setting.study(), setting.study()
    setting.model.says = Invalid("the answer is not JSON")
    setting.settle(refused.study)
    setting.model.says = Unavailable("the model m answered with status 503")
    setting.settle(given_up.study)
    with setting.archive.db.write() as tx:
        tx.exec_driver_sql("UPDATE deliveries SET due_ns = 0")
    setting.turn()
    one, two = service.shown(setting.archive, ME)
    assert (one.run.study_uid, one.parked, one.attempts) == (given_up.study, True, 2)
    assert one.reason == "the model m answered with status 503"
    assert (two.run.state, two.reason) == (State.REFUSED, "the answer is not JSON")
    (status,) = service.status(setting.archive, ME)
    assert (status.refused, status.parked, status.waiting, status.done) == (1, 1, 0, 0)
    setting.model.says = Answer("1.0", (BLEED,))
    assert service.retry(setting.archive, ME, two.run.run) == 1
    setting.turn()
    assert setting.states(refused.study) == ["done"]
    assert service.retry(setting.archive, ME) == 1
    assert service.retry(setting.archive, ME) == 0
    setting.turn()
    assert setting.states(given_up.study) == ["done"]
    assert service.rerun(setting.archive, ME, given_up.study) == 1
    setting.turn()
    assert setting.states(given_up.study) == ["done", "done"]
    with pytest.raises(NotFound):
        service.retry(setting.archive, ME, "unknown")
    with pytest.raises(NotFound):
        service.rerun(setting.archive, ME, "1.2.3")


def test_findings_that_are_told_later(setting: Setting) -> None:
    setting.model.says = None
    item = setting.study()
    setting.settle(item.study)
    (run,) = setting.runs(item.study)
    assert run.state is State.ASKED
    actor = setting.token(run)
    for wrong in (b"{", body_of(run, patient="OTHER"), body_of(replace(run, study_uid="1.2.3"))):
        with pytest.raises(Invalid):
            setting.archive.answer(actor, run.run, wrong)
    unknown = replace(BLEED, references=(Reference(item.series, "1.2.3"),))
    with pytest.raises(Invalid, match="not in the study"):
        setting.archive.answer(actor, run.run, body_of(run, unknown))
    frame = replace(BLEED, references=(Reference(item.series, item.instance, (2,)),))
    with pytest.raises(Invalid, match="frame"):
        setting.archive.answer(actor, run.run, body_of(run, frame))
    setting.archive.answer(actor, run.run, body_of(run, BLEED))
    setting.archive.answer(actor, run.run, body_of(run, BLEED))
    setting.turn()
    assert setting.states(item.study) == ["done"]
    setting.archive.answer(actor, run.run, body_of(run, BLEED))
    with pytest.raises(Conflict):
        setting.archive.answer(actor, run.run, body_of(run))
    setting.turn()
    assert len(setting.reports(item.study)) == 1
    told = [row for row in setting.archive.audit_trail(ME, actor="m") if row.action == "answer"]
    assert [row.outcome for row in told].count("invalid") == 5
    assert {row.outcome for row in told} == {"ok", "invalid", "conflict"}


def test_who_may_tell_findings(setting: Setting) -> None:
    setting.model.says = None
    one, two = setting.study(), setting.study()
    for item in (one, two):
        setting.settle(item.study)
    first, second = setting.runs(one.study) + setting.runs(two.study)
    with pytest.raises(Forbidden):
        setting.archive.answer(ME, first.run, body_of(first))
    with pytest.raises(Forbidden):
        setting.archive.answer(setting.token(second), first.run, body_of(first))
    assert setting.states(one.study) == ["asked"]


def test_an_answer_to_a_run_that_was_superseded(setting: Setting) -> None:
    setting.model.says = None
    item = setting.study()
    setting.settle(item.study)
    (old,) = setting.runs(item.study)
    setting.settle(item.study, 2)
    with pytest.raises(Conflict, match="superseded"):
        setting.archive.answer(setting.token(old), old.run, body_of(old, BLEED))
    assert setting.states(item.study) == ["asked", "superseded"]
    setting.turn()
    assert setting.order() == [(item.study, 0.0)]


def test_a_promise_that_is_not_kept_is_asked_about_again_and_then_given_up(setting: Setting) -> None:
    setting.model.says = None
    item = setting.study()
    setting.settle(item.study)
    assert not setting.look_after()
    for asked in (2, 2):
        with setting.archive.db.write() as tx:
            tx.exec_driver_sql("UPDATE ai_runs SET until_ns = 1 WHERE state = 'asked'")
        assert setting.look_after()
        setting.turn()
        assert len(setting.model.asked) == asked
    (run,) = setting.runs(item.study)
    assert (run.state, run.reason) == (State.REFUSED, "the promised answer did not come")


def test_tokens_that_have_expired_are_forgotten(setting: Setting) -> None:
    with setting.archive.db.write() as tx:
        grants.issue(tx, "m", Scope("1.2", "r"), clock.now_ns() - 1)
    assert service.look_after(setting.archive.db, setting.archive.config.ai)
    with setting.archive.db.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM grants").scalar_one() == 0


def test_a_model_that_hangs_keeps_no_other_and_no_listing_waiting(opened: Opener) -> None:
    second = TOML.replace('"m"', '"n"').replace('CT"\n', 'CT too"\n', 1)
    archive = opened(toml=TOML + second)
    release = threading.Event()

    class Hanging(Scripted):
        def read(self, job: Job) -> Answer | None:
            release.wait(30)
            return super().read(job)

    (item,) = ct_series(1)
    put(archive, item.part10())
    models: dict[str, Any] = {"m": Hanging(), "n": Scripted(Answer("1.0", (BLEED,)))}
    subscribers: list[Follower | Errand] = [Arrivals().follower()]
    for one in service.contribute(archive):
        if isinstance(one, Errand):
            name = one.name.removeprefix("ai:")
            config = next(model for model in archive.config.ai.models if model.name == name)
            subscribers.append(
                replace(one, work=Dispatch(archive, config, partial(models.__getitem__, name)).work)
            )
        elif isinstance(one, Follower):
            subscribers.append(one)
    enrol(archive.db, subscribers)
    with archive.db.write() as tx:
        events.append(tx, Event(Kind.SETTLED, item.study, payload={"generation": 1}))
    hanging = next(one for one in subscribers if one.name == "ai:m")
    others = [one for one in subscribers if one is not hanging]
    while any(serve(archive.db, one) for one in others):
        pass
    thread = threading.Thread(target=serve, args=(archive.db, hanging))
    thread.start()
    try:
        while any(serve(archive.db, one) for one in others):
            pass
        with archive.db.read() as tx:
            assert {run.model: run.state for run in runs.of_study(tx, item.study)} == {
                "m": State.WAITING,
                "n": State.DONE,
            }
        assert [one.urgency for one in archive.worklist.page(ME).items] == [1.0]
    finally:
        release.set()
        thread.join(30)


def test_kinds_of_models_are_looked_up_when_they_are_needed(setting: Setting) -> None:
    plugin = dispatch.build(AiModel("m", kind="onnx", path="x.onnx"), setting.archive)
    with pytest.raises(Unavailable, match="cannot be loaded"):
        plugin.read(Job("r", "1.2", "P", "m", "", ()))
    built = dispatch.build(AiModel("m", url="http://127.0.0.1:9/"), setting.archive)
    with pytest.raises(Unavailable):
        built.read(Job("r", "1.2", "P", "m", "", ()))
    with setting.archive.db.read() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM grants").scalar_one() == 1


def test_the_errands_of_models_read_no_log(setting: Setting) -> None:
    """A model that is no longer configured must not keep the log from being trimmed."""
    with setting.archive.db.read() as tx:
        names = {cursor.name for cursor in log.cursors(tx)}
    assert "ai" in names
    assert not [name for name in names if name.startswith("ai:")]
