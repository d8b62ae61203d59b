"""Steps on both databases: one claimer wins, subscribers are told, the reading list goes along."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs.auth.actor import Actor, Role
from pacs.dicom.level import Level
from pacs.errors import Conflict
from pacs.index.trash import Asked
from pacs.outbox.subscriber import enrol, serve
from pacs.query.model import Query
from pacs.reading.arrivals import Arrivals
from pacs.reading.model import State
from pacs.runtime import Archive
from pacs.workitems import dataset, rows
from pacs.workitems.model import EVERY, DataSet, Report, Rule, StepRefusal, StepState
from tests.contract.conftest import ME, Opener, put
from tests.support.factory import ct_series, fresh_uid
from tests.support.workitems import performed, step

ANNA = Actor("anna", frozenset(Role), "test", "test")
BERT = Actor("bert", frozenset(Role), "test", "test")


def make(archive: Archive, **values: object) -> str:
    return archive.workitems.create(ME, dataset.checked(step(**values)))[0]


def reports(archive: Archive, aet: str) -> list[Report]:
    """All that wait for the subscriber, which is told of them."""
    at = archive.subscriptions.open(ME, aet)
    found: list[Report] = []
    while True:
        waiting = archive.subscriptions.waiting(aet, at)
        found += waiting.reports
        at = waiting.position
        if not waiting.more:
            archive.subscriptions.told(aet, at)
            return found


def test_one_of_many_claimers_wins(opened: Opener) -> None:
    archives = [opened(), opened()]
    uid = make(archives[0])

    def claim(n: int) -> bool:
        try:
            archives[n % 2].workitems.change_state(ME, uid, StepState.IN_PROGRESS, f"2.25.{n + 1}")
        except StepRefusal as refusal:
            assert refusal.rule is Rule.IN_PROGRESS
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(claim, range(6))) == 1


def test_a_uid_is_given_once(opened: Opener) -> None:
    archives = [opened(), opened()]
    uid = fresh_uid()

    def create(n: int) -> bool:
        try:
            archives[n % 2].workitems.create(ME, dataset.checked(step()), uid)
        except StepRefusal as refusal:
            assert refusal.rule is Rule.EXISTS
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(create, range(4))) == 1


def test_every_state_is_told_to_a_new_keeper_of_all(archive: Archive) -> None:
    made = {make(archive) for _ in range(5)}
    archive.subscriptions.subscribe(ME, 'A"B', EVERY, locks=True)
    found = reports(archive, 'A"B')
    assert {report.uid for report in found} == made
    assert {dataset.text(report.dataset, "ProcedureStepState") for report in found} == {"SCHEDULED"}
    assert {dataset.text(report.dataset, "InputReadinessState") for report in found} == {"READY"}
    uid = next(iter(made))
    archive.workitems.change_state(ME, uid, StepState.IN_PROGRESS, "2.25.1")
    assert [report.uid for report in reports(archive, 'A"B')] == [uid]
    assert reports(archive, 'A"B') == []


def test_a_restart_is_told_to_all_who_are_told_anything(archive: Archive) -> None:
    archive.subscriptions.restarted()
    archive.subscriptions.subscribe(ME, "WATCHER", EVERY, locks=False)
    archive.subscriptions.restarted()
    (told,) = reports(archive, "WATCHER")
    assert dataset.text(told.dataset, "SCPStatus") == "RESTARTED"
    assert dataset.text(told.dataset, "SubscriptionListStatus") == "WARM START"


def test_what_was_refused_changed_nothing_and_is_written_down(archive: Archive) -> None:
    uid = make(archive)
    archive.subscriptions.subscribe(ME, "WATCHER", uid, locks=False)
    before = archive.workitems.retrieve(ME, uid)
    with pytest.raises(StepRefusal):
        archive.workitems.change_state(ANNA, uid, StepState.COMPLETED, "2.25.1")
    assert archive.workitems.retrieve(ME, uid) == before
    assert len(reports(archive, "WATCHER")) == 1, "the first state only"
    row = next(iter(archive.audit_trail(ME, actor="anna")))
    assert (row.outcome, row.patient_id, row.study_uid) == ("conflict", "SYN-1", "1.2.3.4")
    assert uid in row.detail


# -- the reading list ---------------------------------------------------------------------------


@pytest.fixture
def study(archive: Archive) -> str:
    """Of a study that has settled and is in the reading list."""
    (item,) = ct_series(1, rows=8, columns=8)
    enrol(archive.db, [archive.readings.follower()])
    put(archive, item.part10())
    settle(archive, item.study, 1)
    return item.study


def settle(archive: Archive, study: str, generation: int) -> None:
    from pacs.outbox import events
    from pacs.outbox.events import Event, Kind

    with archive.db.write() as tx:
        Arrivals().enter(tx, study, generation, generation)
        events.append(tx, Event(Kind.SETTLED, study, payload={"generation": generation}))
    follow(archive)


def follow(archive: Archive) -> None:
    while serve(archive.db, archive.readings.follower()):
        pass


def reading_of(archive: Archive, study: str) -> str:
    with archive.db.write() as tx:
        found = rows.to_be_read(tx, study)
    assert found is not None
    return found.uid


def test_a_study_to_be_read_is_a_workitem(archive: Archive, study: str) -> None:
    uid = reading_of(archive, study)
    found = archive.workitems.retrieve(ME, uid)
    assert dataset.text(found, "StudyInstanceUID") == study
    assert dataset.text(found, "PatientID") == "SYN-1"
    assert dataset.text(found, "ProcedureStepLabel") == "Read Synthetic study"
    assert dataset.text(found, "InputReadinessState") == "READY"
    settle(archive, study, 2)
    assert reading_of(archive, study) == uid, "one while it has not ended"


def test_doing_the_workitem_is_reading_the_study(archive: Archive, study: str) -> None:
    uid, t = reading_of(archive, study), "2.25.9"
    archive.workitems.change_state(ANNA, uid, StepState.IN_PROGRESS, t)
    item = archive.worklist.item(ME, study)
    assert (item.state, item.holder) == (State.CLAIMED, "anna")
    with pytest.raises(Conflict):
        archive.worklist.claim(BERT, study)
    archive.workitems.update(ANNA, uid, dataset.checked(performed()), t)
    archive.workitems.change_state(ANNA, uid, StepState.COMPLETED, t)
    item = archive.worklist.item(ME, study)
    assert (item.state, item.done_by) == (State.DONE, "anna")


def test_reading_the_study_is_doing_the_workitem(archive: Archive, study: str) -> None:
    uid = reading_of(archive, study)
    archive.worklist.claim(BERT, study)
    with pytest.raises(StepRefusal) as refused:
        archive.workitems.change_state(ANNA, uid, StepState.IN_PROGRESS, "2.25.9")
    assert refused.value.rule is Rule.HELD
    archive.worklist.finish(BERT, study)
    follow(archive)
    found = archive.workitems.retrieve(ME, uid)
    assert dataset.text(found, "ProcedureStepState") == "COMPLETED"
    (done,) = dataset.values(found, "UnifiedProcedureStepPerformedProcedureSequence")
    (performer,) = dataset.values(done, "ActualHumanPerformersSequence")
    assert dataset.values(performer, "HumanPerformerName") == [{"Alphabetic": "bert"}]
    archive.worklist.reopen(BERT, study)
    follow(archive)
    assert reading_of(archive, study) != uid, "it is to be read again: another step"


def performer_of(found: DataSet) -> list[object]:
    (done,) = dataset.values(found, "UnifiedProcedureStepPerformedProcedureSequence")
    (performer,) = dataset.values(done, "ActualHumanPerformersSequence")
    return dataset.values(performer, "HumanPerformerName")


def test_a_claim_at_the_list_is_a_step_in_progress(archive: Archive, study: str) -> None:
    uid = reading_of(archive, study)
    archive.worklist.claim(BERT, study)
    follow(archive)
    found = archive.workitems.retrieve(ME, uid)
    assert dataset.text(found, "ProcedureStepState") == "IN PROGRESS"
    assert performer_of(found) == [{"Alphabetic": "bert"}]
    for state in (StepState.IN_PROGRESS, StepState.COMPLETED):
        with pytest.raises(StepRefusal):
            archive.workitems.change_state(ANNA, uid, state, "2.25.9")
    with pytest.raises(StepRefusal):
        archive.workitems.update(ANNA, uid, dataset.checked(performed()), "2.25.9")
    archive.worklist.finish(BERT, study)
    follow(archive)
    found = archive.workitems.retrieve(ME, uid)
    assert dataset.text(found, "ProcedureStepState") == "COMPLETED"
    (done,) = dataset.values(found, "UnifiedProcedureStepPerformedProcedureSequence")
    begun, ended = (dataset.text(done, f"PerformedProcedureStep{end}DateTime") for end in ("Start", "End"))
    assert begun < ended


def test_a_claim_that_is_given_back_is_another_step(archive: Archive, study: str) -> None:
    """No step becomes SCHEDULED again (PS3.4 CC.1.1)."""
    uid = reading_of(archive, study)
    archive.worklist.claim(BERT, study)
    follow(archive)
    archive.worklist.release(BERT, study)
    follow(archive)
    assert dataset.text(archive.workitems.retrieve(ME, uid), "ProcedureStepState") == "CANCELED"
    another = reading_of(archive, study)
    assert another != uid
    assert dataset.text(archive.workitems.retrieve(ME, another), "ProcedureStepState") == "SCHEDULED"
    archive.workitems.change_state(ANNA, another, StepState.IN_PROGRESS, "2.25.9")
    follow(archive)
    assert archive.worklist.item(ME, study).holder == "anna"
    assert reading_of(archive, study) == another


def test_a_claim_that_ran_out_or_went_to_another(archive: Archive, study: str) -> None:
    uid = reading_of(archive, study)
    archive.worklist.claim(BERT, study, 0.05)
    follow(archive)
    time.sleep(0.1)
    assert archive.worklist.sweep()
    archive.worklist.claim(ANNA, study)
    follow(archive)
    found = archive.workitems.retrieve(ME, uid)
    assert dataset.text(found, "ProcedureStepState") == "IN PROGRESS"
    assert performer_of(found) == [{"Alphabetic": "anna"}]
    archive.worklist.release(ANNA, study)
    archive.worklist.claim(ANNA, study)
    archive.worklist.release(ANNA, study)
    follow(archive)
    assert reading_of(archive, study) != uid
    assert len(archive.workitems.search(ME, Query(Level.IMAGE)).matches) == 2, "one for all that is past"


def test_a_study_that_is_deleted_is_read_by_nobody(archive: Archive, study: str) -> None:
    uid = reading_of(archive, study)
    archive.worklist.claim(BERT, study)
    follow(archive)
    deleted = archive.trash.delete(ME, Asked(study))
    enrol(archive.db, [Arrivals().follower()])
    follow_all(archive)
    assert dataset.text(archive.workitems.retrieve(ME, uid), "ProcedureStepState") == "CANCELED"
    archive.trash.restore(ME, deleted.name)
    follow_all(archive)
    assert dataset.text(archive.workitems.retrieve(ME, reading_of(archive, study)), "ProcedureStepState") == (
        "SCHEDULED"
    )


def follow_all(archive: Archive) -> None:
    while serve(archive.db, Arrivals().follower()) or serve(archive.db, archive.readings.follower()):
        pass


def test_canceling_the_workitem_leaves_the_study_to_be_read(archive: Archive, study: str) -> None:
    uid, t = reading_of(archive, study), "2.25.9"
    archive.workitems.change_state(ANNA, uid, StepState.IN_PROGRESS, t)
    archive.workitems.change_state(ANNA, uid, StepState.CANCELED, t)
    item = archive.worklist.item(ME, study)
    assert (item.state, item.holder) == (State.WAITING, "")
