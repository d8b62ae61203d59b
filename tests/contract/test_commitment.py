"""Commitments: asked, verified wherever the objects lie, told once, whatever fails on the way."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pacs.auth.actor import Actor, Role
from pacs.auth.policy import Action
from pacs.commitment import desk, work
from pacs.commitment.model import Answer, Asked, Reference, Result, Verdict
from pacs.commitment.verify import Verifier
from pacs.commitment.work import VERIFY, Work
from pacs.errors import Forbidden, Invalid, NotFound, Unavailable
from pacs.outbox.retry import Backoff
from pacs.outbox.subscriber import Errand, enrol, serve
from pacs.runtime import Archive
from pacs.store.folder import FolderStore
from tests.contract.conftest import ME, put
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series, fresh_uid, with_changes
from tests.support.tiers import COLD, HOT, Tiers

STATION = Actor("CT1", frozenset({Role.SENDER}), "10.0.0.7", "dimse")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def tiers(archive: Archive, tmp_path: Path) -> Tiers:
    (tmp_path / "cold").mkdir()
    return Tiers(archive, FolderStore(tmp_path / "cold"), tmp_path)


def stored(archive: Archive, number: int = 2) -> tuple[DicomObject, ...]:
    items = ct_series(number, rows=8, columns=8)
    for item in items:
        put(archive, item.part10())
    return items


def asked(*items: DicomObject, transaction: str = "") -> Asked:
    return Asked(transaction or fresh_uid(), tuple(reference(item) for item in items))


def reference(item: DicomObject) -> Reference:
    return Reference(item.sop_class, item.instance)


class Told:
    """A station: raises `trouble` while there is some."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.trouble: Exception | None = None

    def __call__(self, result: Result) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.results.append(result)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def errands(archive: Archive, told: Told) -> dict[str, Errand]:
    return errands_of(archive, told)


def errands_of(
    archive: Archive, told: Told, judge: Callable[[Reference], Verdict] | None = None
) -> dict[str, Errand]:
    db = archive.stores.db
    verifier = Verifier(db, archive.stores.hot, None)
    made = Work(db, judge or verifier.verdict, told).errands()
    quick = Backoff(attempts=3, first_s=0.01, longest_s=0.01)
    found = {one.name: replace(one, retry=quick) for one in made}
    enrol(db, tuple(found.values()))
    return found


def run(archive: Archive, errands: dict[str, Errand], seconds: float = 0.0) -> None:
    """All there is to do now, and what comes due within the time."""
    until = time.monotonic() + seconds
    while any(serve(archive.stores.db, one) for one in errands.values()) or time.monotonic() < until:
        time.sleep(0.001)


def run_until(archive: Archive, errands: dict[str, Errand], done: Callable[[], Any]) -> None:
    def tried() -> Any:
        run(archive, errands)
        return done()

    wait_for(tried)


def verdicts(result: Result) -> list[Verdict]:
    return [one.verdict for one in result.objects]


def test_asked_verified_told(archive: Archive, errands: dict[str, Errand], told: Told) -> None:
    items = stored(archive)
    wish = asked(*items)
    id_ = archive.commitments.ask(STATION, wish)
    assert told.results == []
    run(archive, errands)
    (result,) = told.results
    assert (result.id, result.aet, result.transaction_uid) == (id_, "CT1", wish.transaction_uid)
    assert result.objects == tuple(Answer(reference(item), Verdict.SAFE) for item in items)
    (shown,) = archive.commitments.shown(ME)
    assert (shown.commitment.objects, shown.commitment.failed) == (2, 0)
    assert shown.commitment.told_by == work.ON_A_NEW
    run(archive, errands)
    assert len(told.results) == 1


def test_verified_wherever_it_lies(tiers: Tiers) -> None:
    """Hot, hot and cold, cold; and a copy that is damaged counts as none."""
    archive = tiers.archive
    items = stored(archive)
    study, verifier = items[0].study, Verifier(archive.stores.db, archive.stores.hot, tiers.cold)

    def judged() -> list[Verdict]:
        return [verifier.verdict(reference(item)) for item in items]

    assert judged() == [Verdict.SAFE] * 2
    tiers.mover().pack_study(study)
    assert tiers.tiers(items[0]) == {HOT, COLD}
    flip(archive.stores.hot.path(hot_key(tiers, items[0])))
    assert judged() == [Verdict.SAFE] * 2, "the cold copy is whole"
    tiers.mover().evict_study(study, 1 << 62)
    assert tiers.tiers(items[1]) == {COLD}
    assert judged() == [Verdict.SAFE] * 2
    (pack,) = (tiers.folder / "cold").rglob("*.tar")
    place = next(place for place in tiers.places(items[1]))
    flip(pack, place.offset + place.length - 1)
    assert judged() == [Verdict.SAFE, Verdict.DAMAGED]
    with pytest.raises(Unavailable, match="cold"):
        Verifier(archive.stores.db, archive.stores.hot, None).verdict(reference(items[0]))


def hot_key(tiers: Tiers, item: DicomObject) -> str:
    return next(place.key for place in tiers.places(item) if place.tier == HOT)


def flip(path: Path, at: int = -1) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.chmod(0o640)
    path.write_bytes(raw)


def test_superseded_objects_are_kept_too(archive: Archive) -> None:
    (item,) = stored(archive, 1)
    put(archive, with_changes(item, StudyDescription="another").part10())
    verifier = Verifier(archive.stores.db, archive.stores.hot, None)
    assert verifier.verdict(reference(item)) is Verdict.SAFE
    assert verifier.verdict(Reference("1.2.3", item.instance)) is Verdict.OTHER_CLASS
    assert verifier.verdict(Reference(CT, "1.2.3")) is Verdict.ABSENT


def test_verification_goes_on_where_it_broke_off(archive: Archive, told: Told) -> None:
    items = stored(archive, 45)
    archive.commitments.ask(STATION, asked(*items))
    looked: list[str] = []

    def judge(one: Reference) -> Verdict:
        looked.append(one.sop_instance)
        if len(looked) == 30:
            raise Unavailable("the cold tier is away")
        return Verdict.SAFE

    errands = errands_of(archive, told, judge)
    serve(archive.stores.db, errands[VERIFY])
    (shown,) = archive.commitments.shown(ME)
    assert (shown.attempts, shown.reason) == (1, "the cold tier is away")
    assert (shown.commitment.decided_ns, told.results) == (0, [])
    run_until(archive, errands, lambda: told.results)
    (result,) = told.results
    assert verdicts(result) == [Verdict.SAFE] * 45
    assert len(looked) == 30 + 25, "the first twenty had been written down"


def test_what_is_given_up_is_shown_and_can_be_tried_again(
    archive: Archive, errands: dict[str, Errand], told: Told
) -> None:
    archive.commitments.ask(STATION, asked(*stored(archive)))
    told.trouble = Unavailable("CT1 does not answer")
    run_until(archive, errands, lambda: archive.commitments.shown(ME)[0].parked)
    (shown,) = archive.commitments.shown(ME)
    assert (shown.attempts, shown.reason) == (3, "CT1 does not answer")
    told.trouble = None
    assert archive.commitments.retry(ME) == 1
    run(archive, errands)
    assert len(told.results) == 1
    (shown,) = archive.commitments.shown(ME)
    assert (shown.parked, shown.reason) == (False, "")
    assert archive.commitments.shown(ME, untold=True) == ()


def test_a_station_may_be_away_over_the_holidays(archive: Archive, told: Told) -> None:
    """Days pass before its result is given up, and no pause is longer than half an hour."""
    for errand in Work(archive.stores.db, lambda _: Verdict.SAFE, told).errands():
        pauses = [errand.retry.pause_ns(number, 0.0) for number in range(1, errand.retry.attempts)]
        assert sum(pauses) > 4 * 86_400 * 10**9
        assert errand.retry.pause_ns(errand.retry.attempts, 1.0) <= 1800 * 10**9


def test_who_holds_it_tells_it(
    archive: Archive, errands: dict[str, Errand], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_PATIENCE_S", 0.0)
    ours = archive.commitments
    id_ = ours.ask(STATION, asked(*stored(archive)), holder="here")
    assert ours.result(STATION, id_, "here") is None, "nothing is known yet"
    run(archive, {VERIFY: errands[VERIFY]})
    assert ours.result(STATION, id_, "there") is None
    run(archive, errands)
    assert told.results == []
    assert ours.result(STATION, id_, "here") is not None
    ours.told(STATION, id_)
    run(archive, errands, 0.1)
    assert told.results == []
    (shown,) = ours.shown(ME)
    assert shown.commitment.told_by == desk.ON_THE_SAME
    with pytest.raises(NotFound):
        ours.result(STATION, id_, "here")


@pytest.mark.parametrize("how", ["let go", "silent"])
def test_a_holder_that_has_gone_keeps_nobody_waiting(
    archive: Archive, errands: dict[str, Errand], told: Told, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(desk, "_HELD_NS", 10**12 if how == "let go" else 10**8)
    id_ = archive.commitments.ask(STATION, asked(*stored(archive)), holder="here")
    if how == "let go":
        archive.commitments.let_go(STATION, id_, "here")
    run_until(archive, errands, lambda: told.results)
    assert len(told.results) == 1


def test_one_station_does_not_hear_what_another_asked(archive: Archive, errands: dict[str, Errand]) -> None:
    other = replace(STATION, name="CT2")
    items = stored(archive)
    wish = asked(*items)
    id_ = archive.commitments.ask(STATION, wish, holder="here")
    with pytest.raises(NotFound):
        archive.commitments.result(other, id_, "here")
    assert archive.commitments.ask(other, wish) != id_, "each station has its own transactions"
    run(archive, {VERIFY: errands[VERIFY]})
    archive.commitments.told(other, id_)
    shown = archive.commitments.shown(ME)
    assert [one.commitment.told_ns for one in shown] == [0, 0]
    assert [one.commitment.failed for one in shown] == [0, 0]


def test_a_transaction_uid_names_one_request(
    archive: Archive, errands: dict[str, Errand], told: Told
) -> None:
    one, two = stored(archive)
    ours = archive.commitments
    first = ours.ask(STATION, asked(one, transaction="1.2.3"))
    assert ours.ask(STATION, asked(one, transaction="1.2.3")) == first
    assert ours.ask(STATION, asked(two, transaction="1.2.3")) != first
    run(archive, errands)
    assert ours.ask(STATION, asked(one, transaction="1.2.3")) != first, "it has been told"
    run(archive, errands)
    said = [(result.objects[0].reference.sop_instance, verdicts(result)) for result in told.results]
    assert said == [
        (one.instance, [Verdict.SAFE]),
        (two.instance, [Verdict.REPEATED]),
        (one.instance, [Verdict.REPEATED]),
    ]


@pytest.mark.parametrize(
    "wish",
    [
        Asked("", (Reference(CT, "1.2"),)),
        Asked("1.2", ()),
        Asked("1.2", (Reference(CT, "../1"),)),
        Asked("1.2", (Reference("", "1.2"),)),
    ],
    ids=["no transaction", "no objects", "no instance UID", "no class"],
)
def test_requests_that_make_no_sense(archive: Archive, wish: Asked) -> None:
    with pytest.raises(Invalid):
        archive.commitments.ask(STATION, wish)
    assert archive.commitments.shown(ME) == ()


def test_too_many_at_once(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MOST", 1)
    with pytest.raises(Unavailable):
        archive.commitments.ask(STATION, asked(*stored(archive)))


def test_it_takes_a_right_and_leaves_a_trail(archive: Archive) -> None:
    items = stored(archive)
    reader = Actor("eve", frozenset({Role.VIEWER}), "10.0.0.9", "dimse")
    with pytest.raises(Forbidden):
        archive.commitments.ask(reader, asked(*items))
    archive.commitments.ask(STATION, asked(*items))
    for calling in (archive.commitments.retry, lambda actor: archive.commitments.told(actor, 1)):
        with pytest.raises(Forbidden):
            calling(reader)
    rows = [row for row in archive.audit_trail(ME, limit=10) if row.action == Action.COMMIT]
    assert [(row.actor, row.outcome, row.study_uid) for row in rows] == [
        ("CT1", "ok", items[0].study),
        ("eve", "forbidden", ""),
    ]


def test_what_was_told_long_ago_is_forgotten(
    archive: Archive, errands: dict[str, Errand], told: Told
) -> None:
    ours, items = archive.commitments, stored(archive)
    ours.ask(STATION, asked(*items))
    run(archive, errands)
    waiting = ours.ask(STATION, asked(*items))
    chore = Work(archive.stores.db, lambda _: Verdict.SAFE, told).chore
    assert not chore(3600.0).work()
    assert chore(0.0).work()
    assert not chore(0.0).work()
    assert [one.commitment.id for one in ours.shown(ME)] == [waiting]


def test_a_rebuilt_index_still_knows_them(archive: Archive) -> None:
    archive.commitments.ask(STATION, asked(*stored(archive)))
    archive.checker.rebuild()
    assert len(archive.commitments.shown(ME)) == 1
