"""A token that is good for one study: what it opens, and that it opens nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pacs import clock
from pacs.auth import grants
from pacs.auth.actor import Actor, Scope
from pacs.auth.grants import Grants
from pacs.auth.policy import Action, allows
from pacs.dicom.level import Level
from pacs.dicom.uids import InstanceKey
from pacs.errors import Forbidden, PacsError
from pacs.ingest.examine import Expected
from pacs.ingest.receipt import Receipt, Refused, Stored
from pacs.ingest.settle import Settler
from pacs.outbox.subscriber import enrol, serve
from pacs.query import parse
from pacs.reading.model import Requested, Run, Verdict
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive
from tests.contract.conftest import ME, put
from tests.support.dicom_object import DicomObject
from tests.support.factory import Patient, ct_series, fresh_uid, with_changes

HOUR = 3600 * 10**9
SR, SC, CT = "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def own(archive: Archive) -> DicomObject:
    (item,) = ct_series(1)
    put(archive, item.part10())
    return item


@pytest.fixture
def other(archive: Archive) -> DicomObject:
    (item,) = ct_series(1, patient=Patient(id="OTHER"))
    put(archive, item.part10())
    return item


def limited(archive: Archive, study: str, *, lasts_ns: int = HOUR, run: str = "r1") -> Actor | None:
    """Through the door, as anybody who shows the token."""
    with archive.db.write() as tx:
        token = grants.issue(tx, "chest", Scope(study, run), clock.now_ns() + lasts_ns)
    assert archive.door.asks_the_index(f"Bearer {token}")
    return archive.door.caller(f"Bearer {token}", "10.0.0.7")


def known(archive: Archive, item: DicomObject) -> Actor:
    actor = limited(archive, item.study)
    assert actor is not None
    return actor


def key(item: DicomObject) -> InstanceKey:
    return InstanceKey(item.study, item.series, item.instance)


def bring(archive: Archive, actor: Actor, item: DicomObject) -> Receipt:
    with archive.ingest.spool(actor) as spooled:
        spooled.write(item.part10())
        return archive.ingest.accept(actor, spooled)


def result(like: DicomObject, sop_class: str = SR, **changes: Any) -> DicomObject:
    """An object such as a model makes of the study."""
    fresh = {"SOPInstanceUID": fresh_uid(), "SeriesInstanceUID": fresh_uid(), "SOPClassUID": sop_class}
    return with_changes(like, **(fresh | changes))


# -- the token ----------------------------------------------------------------------------------


def test_a_token_is_its_run_and_nobody_else(archive: Archive, own: DicomObject) -> None:
    actor = known(archive, own)
    assert actor == Actor("chest", frozenset(), "10.0.0.7", "dicomweb", Scope(own.study, "r1"))
    for shown in ("Bearer hilum-run.", "Bearer hilum-run.AAAA", f"Bearer hilum-run.{'A' * 43}"):
        assert archive.door.caller(shown, "10.0.0.7") is None, "no open door for a token of that form"


def test_a_token_ends(archive: Archive, own: DicomObject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limited(archive, own.study, lasts_ns=0) is None
    with archive.db.write() as tx:
        token = grants.issue(tx, "chest", Scope(own.study, "r7"), clock.now_ns() + HOUR)
    seen = Grants(archive.db)
    assert seen.actor(token, "x") is not None
    with archive.db.write() as tx:
        grants.end(tx, "r7", clock.now_ns() + HOUR // 2)
        assert grants.purge(tx) == 1, "the one that had never been good"
    later = clock.now_ns() + HOUR * 3 // 4
    monkeypatch.setattr(clock, "now_ns", lambda: later)
    assert seen.actor(token, "x") is None


def test_nothing_that_stands_in_the_index_is_a_token(archive: Archive, own: DicomObject) -> None:
    with archive.db.write() as tx:
        token = grants.issue(tx, "chest", Scope(own.study, "r1"), clock.now_ns() + HOUR)
        stored = tx.exec_driver_sql("SELECT * FROM grants").all()
    assert token.removeprefix(grants.PREFIX) not in str(stored)


# -- what it opens -------------------------------------------------------------------------------


def test_its_own_study_is_found_and_read(archive: Archive, own: DicomObject, other: DicomObject) -> None:
    actor = known(archive, own)
    assert archive.retrieve.choose(actor, Wanted(studies=(own.study,))).count == 1
    assert [e.key for e in archive.retrieve.metadata(actor, Wanted(studies=(own.study,)))] == [key(own)]
    with archive.retrieve.frames(actor, key(own), (1,)) as frames:
        assert sum(frames.lengths()) > 0
    archive.retrieve.bulkdata(actor, key(own), "7FE00010").close()
    everything = parse.from_keys(Level.STUDY, (), defaults=True)
    assert [match.key.study for match in archive.search.page(actor, everything).matches] == [own.study]
    assert [match.key.study for match in archive.search.stream(actor, everything)] == [own.study]


def looks(archive: Archive, item: DicomObject) -> dict[str, Callable[[Actor], object]]:
    """Every way to see or change something of a study that is not one's own."""
    study = parse.from_keys(Level.STUDY, [((0x0020000D,), (item.study,))])
    one = Wanted(studies=(item.study,))
    return {
        "choose": lambda actor: archive.retrieve.choose(actor, one),
        "choose by instance": lambda actor: archive.retrieve.choose(
            actor, Wanted(instances=(item.instance,))
        ),
        "choose by series": lambda actor: archive.retrieve.choose(actor, Wanted(series=(item.series,))),
        "choose by patient": lambda actor: archive.retrieve.choose(actor, Wanted(patients=("OTHER",))),
        "metadata": lambda actor: next(archive.retrieve.metadata(actor, one)),
        "frames": lambda actor: archive.retrieve.frames(actor, key(item), (1,)),
        "bulkdata": lambda actor: archive.retrieve.bulkdata(actor, key(item), "7FE00010"),
        "page": lambda actor: archive.search.page(actor, study),
        "stream": lambda actor: list(archive.search.stream(actor, study)),
        "trail": lambda actor: list(archive.audit_trail(actor)),
        "facts": archive.facts,
        "list": archive.worklist.page,
        "item": lambda actor: archive.worklist.item(actor, item.study),
        "findings": lambda actor: archive.worklist.findings(actor, item.study),
        "changes": lambda actor: archive.worklist.changes(actor, 0),
        "claim": lambda actor: archive.worklist.claim(actor, item.study),
        "finish": lambda actor: archive.worklist.finish(actor, item.study),
        "request": lambda actor: archive.worklist.request(actor, item.study, Requested.STAT),
        "judge": lambda actor: archive.worklist.judge(actor, 1, Verdict.ACCEPTED),
        "reprioritise": lambda actor: archive.reprioritise.by_findings(
            actor, item.study, Run("r", "m", "1"), ()
        ),
        "answer": lambda actor: archive.answer(actor, "another-run", b"{}"),
    }


def test_nothing_else_is_open_and_every_try_is_written_down(
    archive: Archive, own: DicomObject, other: DicomObject
) -> None:
    actor = known(archive, own)
    for name, look in looks(archive, other).items():
        before = len(list(archive.audit_trail(ME, actor="chest")))
        with pytest.raises(Forbidden):
            look(actor)
        tried = list(archive.audit_trail(ME, actor="chest"))
        assert len(tried) == before + (name != "facts"), name
        assert name == "facts" or (tried[0].outcome, tried[0].roles) == ("forbidden", "run"), name
    asked = archive.audit_trail(ME, study_uid=other.study, actor="chest")
    assert {row.action for row in asked} >= {"read", "search"}, "the trail of the other study tells of it"


def test_two_studies_of_which_one_is_its_own(archive: Archive, own: DicomObject, other: DicomObject) -> None:
    actor = known(archive, own)
    with pytest.raises(Forbidden):
        archive.retrieve.choose(actor, Wanted(studies=(own.study, other.study)))
    both = parse.from_keys(Level.STUDY, [((0x0020000D,), (own.study, other.study))])
    with pytest.raises(Forbidden):
        archive.search.page(actor, both)


def test_an_instance_of_another_study_under_its_own(
    archive: Archive, own: DicomObject, other: DicomObject
) -> None:
    actor = known(archive, own)
    with pytest.raises(PacsError):
        archive.retrieve.frames(actor, replace(key(other), study=own.study), (1,))


@pytest.mark.parametrize("action", Action)
def test_who_is_limited_may_nothing_without_naming_the_study(action: Action) -> None:
    actor = Actor("chest", frozenset(), "x", "dicomweb", Scope("1.2", "r"))
    assert not allows(actor, action)
    assert not allows(actor, action, ("1.3",))
    assert not allows(actor, action, ("1.2", "1.3"))
    assert allows(actor, action, ("1.2",)) == (action in {"search", "read", "store", "answer"})


# -- what it may store ---------------------------------------------------------------------------


def test_results_of_its_own_study_are_kept(archive: Archive, own: DicomObject) -> None:
    actor = known(archive, own)
    for sop_class in (SR, SC):
        assert isinstance(bring(archive, actor, result(own, sop_class)), Stored)


@pytest.mark.parametrize(
    ("rule", "sop_class", "changes"),
    [
        ("expected-patient", SR, {"PatientID": "OTHER"}),
        ("expected-patient", SR, {"PatientID": ""}),
        ("expected-patient", SR, {"IssuerOfPatientID": "ELSEWHERE"}),
        ("no-result", CT, {}),
        ("expected-study", SR, {"StudyInstanceUID": "1.2.3.4"}),
    ],
)
def test_what_belongs_elsewhere_is_put_aside(
    archive: Archive, own: DicomObject, rule: str, sop_class: str, changes: dict[str, str]
) -> None:
    receipt = bring(archive, known(archive, own), result(own, sop_class, **changes))
    assert isinstance(receipt, Refused)
    assert receipt.rule == rule
    with archive.db.read() as tx:
        kept = tx.exec_driver_sql("SELECT rule, actor FROM quarantine").all()
    assert [tuple(row) for row in kept] == [(rule, "chest")]


def test_it_takes_no_objects_place(archive: Archive, own: DicomObject) -> None:
    """Not even as another version: what was acquired stays what is shown."""
    lie = result(own, SR, SOPInstanceUID=own.instance)
    receipt = bring(archive, known(archive, own), lie)
    assert isinstance(receipt, Refused)
    assert receipt.rule == "keep-first"
    (kept,) = archive.retrieve.choose(ME, Wanted(studies=(own.study,)))
    assert kept.digest == own.digest


def test_a_request_for_another_study_is_refused_as_a_whole(
    archive: Archive, own: DicomObject, other: DicomObject
) -> None:
    actor = known(archive, own)
    with archive.ingest.spool(actor) as spooled:
        spooled.write(result(other).part10())
        with pytest.raises(Forbidden):
            archive.ingest.accept(actor, spooled, Expected(study=other.study))
    assert next(archive.audit_trail(ME, actor="chest")).study_uid == other.study


def test_what_a_run_stores_settles_nothing_again(archive: Archive, own: DicomObject) -> None:
    """A secondary capture by anybody else would be more to read."""
    hear(archive)
    with archive.db.write() as tx:
        tx.exec_driver_sql("UPDATE settling SET quiet_since_ns = NULL, generation = 1")
    bring(archive, known(archive, own), result(own, SC))
    bring(archive, known(archive, own), result(own, SR))
    assert hear(archive) == []
    put(archive, result(own, SC).part10())
    assert hear(archive) == [own.study]


def hear(archive: Archive) -> list[str]:
    """Let the settler hear what came; the studies that wait for quiet."""
    follower = Settler(archive.db, quiet_s=0.0).follower()
    enrol(archive.db, [follower])
    while serve(archive.db, follower):
        pass
    with archive.db.read() as tx:
        rows = tx.exec_driver_sql("SELECT study_uid FROM settling WHERE quiet_since_ns IS NOT NULL")
        return [row[0] for row in rows]
