"""The reading list, straight through its use cases, on both databases."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
import sqlalchemy as sa

from pacs import clock
from pacs.audit.looks import Looks
from pacs.auth.actor import Actor, Role, system
from pacs.db.connection import Database
from pacs.errors import Conflict, Forbidden, Invalid, NotFound
from pacs.ingest.settle import Settler
from pacs.outbox.crew import Chore, Crew
from pacs.outbox.events import Kind
from pacs.outbox.subscriber import Errand
from pacs.reading import rows
from pacs.reading.arrivals import Arrivals
from pacs.reading.model import Finding, Place, Requested, Run, ScoreCard, State, Verdict, WorkItem
from pacs.reading.priority import DEFAULT, place
from pacs.reading.reprioritise import Reprioritise
from pacs.reading.worklist import Worklist
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener, put
from tests.support.factory import ct_series, fresh_uid

AI = system("ai")
HOUR = 3_600_000_000_000
BLEED = Finding("intracranial haemorrhage", 1.0, 0.9)


def reader(name: str) -> Actor:
    return Actor(name, frozenset({Role.VIEWER}), "10.0.0.9", "dicomweb")


ANN, BOB = reader("ann"), reader("bob")


def worklist(archive: Archive) -> Worklist:
    return Worklist(archive._db, Looks(archive._db))


def listed(db: Database, *studies: str, since_ns: int = 0) -> None:
    """In the list without any object."""
    with db.write() as tx:
        for study in studies:
            item = WorkItem(study, "P-1", State.WAITING, since_ns or clock.now_ns(), generation=1)
            rows.save(tx, item, rows.begin(tx), DEFAULT)


def found(archive: Archive, study: str, *findings: Finding, run: str = "r1", model: str = "m") -> None:
    Reprioritise(archive._db).by_findings(AI, study, Run(run, model, "1.0"), findings)


def order(archive: Archive) -> list[str]:
    return [item.study_uid for item in worklist(archive).page(ANN).items]


def audited(archive: Archive, **which: str) -> list[tuple[str, str, str]]:
    return [(row.actor, row.detail, row.outcome) for row in archive.audit_trail(ME, **which)]


def no_answer(until: threading.Event) -> None:
    until.wait(30)


@pytest.fixture
def crews() -> Iterator[list[Crew]]:
    made: list[Crew] = []
    yield made
    for crew in made:
        crew.stop(grace_s=1.0)


# -- arrival ------------------------------------------------------------------------------------


def test_a_study_is_listed_in_time_whatever_ai_does(archive: Archive, crews: list[Crew]) -> None:
    """The model hangs; the study is there within the settling time plus a second."""
    db, release = archive._db, threading.Event()
    settler = Settler(db, quiet_s=1.0)
    ai = Errand("ai", frozenset({Kind.SETTLED}), lambda _: no_answer(release))
    crew = Crew(db, [settler.follower(), Arrivals().follower(), ai], [Chore("settle", settler.fire)])
    crews.append(crew)
    crew.start()
    items = [ct_series(1)[0] for _ in range(3)]
    for item in items:
        put(archive, item.part10())
    last = time.monotonic()
    while sorted(order(archive)) != sorted(item.study for item in items):
        assert time.monotonic() - last < 2.0
        time.sleep(0.02)
    entry = worklist(archive).item(ANN, items[0].study)
    assert (entry.patient_id, entry.state, entry.generation) == ("SYN-1", State.WAITING, 1)
    assert ("reading", "enter 1", "ok") in audited(archive, study_uid=items[0].study)
    release.set()


def test_entering_is_idempotent_and_more_reopens_what_was_read(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    arrivals, list_ = Arrivals(), worklist(archive)

    def enter(generation: int) -> bool:
        with archive._db.write() as tx:
            return arrivals.enter(tx, item.study, generation, 1000 + generation)

    assert enter(1)
    assert not enter(1)
    assert enter(2)
    assert list_.item(ANN, item.study).waiting_since_ns == 1001
    list_.finish(ANN, item.study)
    assert order(archive) == []
    assert not enter(2)
    assert enter(3)
    again = list_.item(ANN, item.study)
    assert (again.state, again.waiting_since_ns, again.done_by) == (State.WAITING, 1003, "")


def test_a_study_that_is_gone_is_not_listed(archive: Archive) -> None:
    with archive._db.write() as tx:
        assert not Arrivals().enter(tx, fresh_uid(), 1, 1)
    assert order(archive) == []


# -- order --------------------------------------------------------------------------------------


def test_the_page_is_in_the_pure_order_and_pages_join(archive: Archive) -> None:
    random, list_ = Random(7), worklist(archive)
    expected = []
    for n in range(60):
        study, since = f"1.2.{n}", random.randrange(30) * HOUR
        severity, requested = random.choice([0.0, 0.5, 1.0]), random.choice(list(Requested))
        listed(archive._db, study, since_ns=since + 1)
        found(archive, study, Finding("x", severity, 1.0))
        list_.request(ANN, study, requested)
        expected.append(place(study, since + 1, severity, requested))
    expected.sort()
    seen: list[WorkItem] = []
    after: Place | None = None
    while True:
        page = list_.page(ANN, limit=7, after=after)
        seen += page.items
        after = page.next
        if after is None:
            break
    assert [item.study_uid for item in seen] == [p.study_uid for p in expected]
    assert [item.rank_ns for item in seen] == [p.rank_ns for p in expected]


def test_a_finding_moves_its_study_to_the_top_and_says_why(archive: Archive) -> None:
    listed(archive._db, "1.1")
    listed(archive._db, "1.2")
    listed(archive._db, "1.3")
    found(archive, "1.3", Finding("nodule", 0.3, 0.5), BLEED)
    assert order(archive) == ["1.3", "1.1", "1.2"]
    top = worklist(archive).item(ANN, "1.3")
    assert top.lead is not None
    assert (top.lead.finding, top.lead.model, top.urgency) == (BLEED, "m", 0.9)
    assert len(worklist(archive).findings(ANN, "1.3")) == 2


def test_waiting_wins_in_the_end(archive: Archive) -> None:
    now = clock.now_ns()
    listed(archive._db, "1.old", since_ns=now - 30 * HOUR)
    listed(archive._db, "1.new", since_ns=now)
    found(archive, "1.new", Finding("lie", 1.0, 1.0))
    assert order(archive) == ["1.old", "1.new"]


def test_a_later_run_takes_the_place_of_the_earlier_and_a_repeat_changes_nothing(archive: Archive) -> None:
    listed(archive._db, "1.1")
    found(archive, "1.1", BLEED, run="first")
    found(archive, "1.1", Finding("nodule", 0.2, 0.5), run="other", model="n")
    found(archive, "1.1", run="second")
    version = worklist(archive).page(ANN).version
    found(archive, "1.1", BLEED, run="first")
    found(archive, "1.1", BLEED, run="second")
    item = worklist(archive).item(ANN, "1.1")
    assert item.lead is not None
    assert (item.lead.model, item.urgency) == ("n", 0.1)
    assert worklist(archive).changes(ANN, version).items == ()


def test_an_answer_that_comes_after_a_later_runs_answer_no_longer_counts(archive: Archive) -> None:
    listed(archive._db, "1.1", "1.2")
    late, soon = Run("late", "m", "1.0", ordinal=1), Run("soon", "m", "1.0", ordinal=2)
    for run, findings in ((soon, []), (late, [BLEED])):
        Reprioritise(archive._db).by_findings(AI, "1.2", run, findings)
    assert worklist(archive).findings(ANN, "1.2") == ()
    assert order(archive) == ["1.1", "1.2"]
    Reprioritise(archive._db).by_findings(AI, "1.2", Run("last", "m", "1.0", ordinal=3), [BLEED])
    assert order(archive) == ["1.2", "1.1"]


def test_models_change_order_never_presence(archive: Archive) -> None:
    (item,) = ct_series(1)
    put(archive, item.part10())
    found(archive, item.study, BLEED)
    assert order(archive) == [], "a model lists nothing"
    with archive._db.write() as tx:
        Arrivals().enter(tx, item.study, 1, 1)
    assert worklist(archive).item(ANN, item.study).urgency == 0.9, "what it said before counts"
    worklist(archive).claim(ANN, item.study)
    found(archive, item.study, run="r2")
    claimed = worklist(archive).item(ANN, item.study)
    assert (claimed.state, claimed.holder, claimed.urgency) == (State.CLAIMED, "ann", 0.0)


def test_who_may_not_is_turned_away_and_written_down(archive: Archive) -> None:
    listed(archive._db, "1.1")
    with pytest.raises(Forbidden):
        Reprioritise(archive._db).by_findings(ANN, "1.1", Run("r", "m", "1"), [BLEED])
    sender = Actor("ct", frozenset({Role.SENDER}), "10.0.0.1", "dimse")
    for attempt in (
        lambda: worklist(archive).page(sender),
        lambda: worklist(archive).changes(sender, 0),
        lambda: worklist(archive).claim(sender, "1.1"),
        lambda: worklist(archive).judge(sender, 1, Verdict.ACCEPTED),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert [row[2] for row in audited(archive, actor="ct")] == ["forbidden"] * 4
    assert [row[2] for row in audited(archive, actor="ann")] == ["forbidden"]
    assert worklist(archive).item(ANN, "1.1").urgency == 0.0


# -- claims -------------------------------------------------------------------------------------


def test_of_fifty_claimers_exactly_one_wins(opened: Opener) -> None:
    archives = [opened(), opened()]
    listed(archives[0]._db, "1.1")
    start = threading.Barrier(50)

    def claim(n: int) -> str:
        list_ = worklist(archives[n % 2])
        start.wait()
        try:
            return list_.claim(reader(f"reader-{n}"), "1.1").holder
        except Conflict:
            return ""

    with ThreadPoolExecutor(50) as pool:
        winners = [holder for holder in pool.map(claim, range(50)) if holder]
    assert len(winners) == 1
    assert worklist(archives[0]).item(ANN, "1.1").holder == winners[0]
    outcomes = [row[2] for row in audited(archives[0], study_uid="1.1") if row[1] == "claim"]
    assert sorted(outcomes) == ["conflict"] * 49 + ["ok"]


def test_a_claim_ends_by_itself(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    listed(archive._db, "1.1")
    list_ = worklist(archive)
    list_.claim(ANN, "1.1", seconds=60)
    with pytest.raises(Conflict):
        list_.claim(BOB, "1.1")
    version = list_.page(ANN).version
    assert not list_.sweep()
    now = clock.now_ns() + 61_000_000_000
    monkeypatch.setattr(clock, "now_ns", lambda: now)
    assert list_.item(BOB, "1.1").state is State.WAITING
    assert list_.sweep()
    assert not list_.sweep()
    assert [item.state for item in list_.changes(BOB, version).items] == [State.WAITING]
    assert list_.claim(BOB, "1.1").holder == "bob"
    with pytest.raises(Conflict):
        list_.release(ANN, "1.1")


def test_claim_release_finish_reopen(archive: Archive) -> None:
    listed(archive._db, "1.1")
    list_ = worklist(archive)
    list_.claim(ANN, "1.1")
    assert list_.release(ANN, "1.1").state is State.WAITING
    list_.claim(BOB, "1.1")
    with pytest.raises(Conflict):
        list_.finish(ANN, "1.1")
    done = list_.finish(BOB, "1.1")
    assert (done.state, done.done_by, done.holder) == (State.DONE, "bob", "")
    assert [item.study_uid for item in list_.page(ANN, done=True).items] == ["1.1"]
    assert order(archive) == []
    assert list_.reopen(ANN, "1.1").state is State.WAITING
    assert ("ann", "finish", "conflict") in audited(archive, study_uid="1.1")
    assert ("bob", "finish", "ok") in audited(archive, patient_id="P-1")


def test_what_is_not_listed_or_makes_no_sense(archive: Archive) -> None:
    listed(archive._db, "1.1")
    list_ = worklist(archive)
    for call in (lambda: list_.claim(ANN, "9"), lambda: list_.judge(ANN, 9, Verdict.ACCEPTED)):
        with pytest.raises(NotFound):
            call()
    for nonsense in (
        lambda: list_.claim(ANN, "1.1", seconds=0),
        lambda: list_.claim(ANN, "1.1", seconds=1e9),
        lambda: list_.page(ANN, limit=0),
        lambda: found(archive, "1.1", *[BLEED] * 101),
    ):
        with pytest.raises(Invalid):
            nonsense()


# -- verdicts -----------------------------------------------------------------------------------


def test_a_rejected_finding_gives_no_urgency_and_the_score_card_counts_the_latest(archive: Archive) -> None:
    listed(archive._db, "1.1")
    listed(archive._db, "1.2")
    found(archive, "1.2", BLEED)
    list_ = worklist(archive)
    (raised,) = list_.findings(ANN, "1.2")
    list_.judge(ANN, raised.id, Verdict.ACCEPTED)
    list_.judge(ANN, raised.id, Verdict.ACCEPTED)
    assert list_.score_cards(ANN) == (ScoreCard("m", "1.0", accepted=1, modified=0, rejected=0),)
    assert order(archive) == ["1.2", "1.1"]
    assert list_.judge(BOB, raised.id, Verdict.REJECTED).verdict is Verdict.REJECTED
    assert list_.score_cards(ANN) == (ScoreCard("m", "1.0", accepted=0, modified=0, rejected=1),)
    assert order(archive) == ["1.1", "1.2"]
    found(archive, "1.2", BLEED)
    assert order(archive) == ["1.1", "1.2"], "the same run again does not bring it back"
    found(archive, "1.2", BLEED, run="r2")
    list_.judge(ANN, list_.findings(ANN, "1.2")[0].id, Verdict.MODIFIED)
    assert list_.score_cards(ANN) == (ScoreCard("m", "1.0", accepted=0, modified=1, rejected=1),)
    assert ("bob", f"rejected finding {raised.id} of m", "ok") in audited(archive, patient_id="P-1")


# -- changes ------------------------------------------------------------------------------------


def test_changes_are_told_from_the_page_on(archive: Archive) -> None:
    listed(archive._db, "1.1", "1.2", "1.3")
    list_ = worklist(archive)
    version = list_.page(ANN).version
    assert list_.changes(ANN, version).items == ()
    list_.claim(ANN, "1.2")
    found(archive, "1.1", BLEED)
    changed = list_.changes(BOB, version)
    assert [item.study_uid for item in changed.items] == ["1.2", "1.1"]
    assert list_.changes(BOB, changed.version).items == ()
    first = list_.changes(BOB, 0, limit=2)
    assert (len(first.items), first.more) == (2, True)
    assert len(list_.changes(BOB, first.version, limit=2).items) == 1


def test_a_watcher_beside_many_writers_ends_with_the_list_as_it_is(opened: Opener) -> None:
    archives = [opened(), opened()]
    studies = [f"1.{n}" for n in range(8)]
    listed(archives[0]._db, *studies)
    done = threading.Event()
    known: dict[str, WorkItem] = {}

    def watch() -> None:
        list_, since = worklist(archives[0]), 0
        while True:
            last = done.is_set()
            changes = list_.changes(ANN, since, limit=3)
            known.update({item.study_uid: item for item in changes.items})
            since = changes.version
            if last and not changes.items:
                return

    def write(n: int) -> None:
        for k in range(8):
            finding = Finding("x", ((n * 3 + k * 5) % 11) / 11, 1.0)
            found(archives[n % 2], studies[(n + k) % 8], finding, run=f"{n}.{k}", model=f"m{n}")

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    done.set()
    watcher.join()
    assert {item.study_uid: item for item in worklist(archives[1]).page(ANN).items} == known


# -- cost ---------------------------------------------------------------------------------------


def test_page_changes_and_sweep_are_served_by_an_index(archive: Archive) -> None:
    with archive._db.write() as tx:
        for n in range(3000):
            item = WorkItem(f"1.{n}", "P", State.WAITING, n + 1)
            rows.save(tx, item, n + 1, DEFAULT)
        if archive._db.dialect == "postgresql":
            tx.execute(sa.text("ANALYZE worklist"))
        explain = "EXPLAIN" if archive._db.dialect == "postgresql" else "EXPLAIN QUERY PLAN"

        def plan(clause: str) -> str:
            return str(tx.execute(sa.text(f"{explain} SELECT * FROM worklist WHERE {clause}")).all())

        here = plan("done = 0 AND (rank_ns, study_uid) > (5, '1') ORDER BY rank_ns, study_uid LIMIT 9")
        assert "ix_worklist_done_rank_ns_study_uid" in here
        assert "ix_worklist_version" in plan("version > 2990 ORDER BY version LIMIT 9")
        assert "ix_worklist_held_until_ns" in plan("held_until_ns > 0 AND held_until_ns <= 9")
