"""Subscriptions and the event reports they bring, over real WebSockets (PS3.18 8.10, 11.10-11.13)."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from pacs.auth import tokens
from pacs.config import AuthConfig, Config, TokenEntry, WebConfig
from tests.conformance.dicomweb.conftest import running
from tests.support.factory import fresh_uid
from tests.support.workitems import EVERY, FILTERED, Worklist, code, dataset, performed, tag, value

VIEWER = tokens.create()
STATE, CANCEL, PROGRESS, STATUS, ASSIGNED = 1, 2, 3, 4, 5


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worklist]:
    with running(Config(data=tmp_path_factory.mktemp("notified"))) as url:
        yield Worklist(f"{url}/dicom-web")


@pytest.fixture
def aet(request: pytest.FixtureRequest) -> str:
    return fresh_uid()[-12:].replace(".", "")


@pytest.fixture
def worklist(shared: Worklist, aet: str) -> Iterator[Worklist]:
    """Whoever subscribed to everything does so no longer afterwards."""
    yield shared
    for scope in (EVERY, FILTERED):
        shared.unsubscribe(scope, aet)


def test_the_life_of_a_workitem_is_told(worklist: Worklist, aet: str) -> None:
    uid = worklist.make()
    answer = worklist.subscribe(uid, aet)
    assert answer.status_code == 201
    assert answer.headers["content-location"] == f"ws{worklist.root[4:]}/subscribers/{aet}"
    with worklist.listening(aet) as ear:
        first = ear.hear()
        assert (first.uid, first.type) == (uid, STATE)
        assert first.value("ProcedureStepState") == "SCHEDULED"
        assert first.value("InputReadinessState") == "READY"
        assert tag("PatientName") not in first.dataset

        worklist.send("POST", f"/workitems/{uid}", [dataset(InputReadinessState="UNAVAILABLE")])
        assert ear.hear().value("InputReadinessState") == "UNAVAILABLE"

        station = dataset(ScheduledStationNameCodeSequence=code("GPU-1"))
        worklist.send("POST", f"/workitems/{uid}", [station])
        assigned = ear.hear()
        assert assigned.type == ASSIGNED
        assert value(assigned.value("ScheduledStationNameCodeSequence"), "CodeValue") == "GPU-1"

        worklist.to(uid, "IN PROGRESS", "2.25.1")
        assert ear.hear().value("ProcedureStepState") == "IN PROGRESS"

        far = dataset(ProcedureStepProgressInformationSequence=dataset(ProcedureStepProgress="40"))
        worklist.send("POST", f"/workitems/{uid}?2.25.1", [far])
        progress = ear.hear()
        assert progress.type == PROGRESS
        (item,) = progress.dataset[tag("ProcedureStepProgressInformationSequence")]["Value"]
        assert value(item, "ProcedureStepProgress") == "40"

        why = dataset(ReasonForCancellation="Too late", ContactDisplayName="Desk", ContactURI="tel:1")
        worklist.send("POST", f"/workitems/{uid}/cancelrequest", [why])
        wished = ear.hear()
        assert wished.type == CANCEL
        assert wished.value("RequestingAE") == "anyone"
        assert wished.value("ReasonForCancellation") == "Too late"
        assert wished.value("ContactURI") == "tel:1"

        worklist.send("POST", f"/workitems/{uid}", [dataset(WorklistLabel="x")])  # refused: not told
        worklist.send("POST", f"/workitems/{uid}?2.25.1", [performed()])  # nothing to tell
        worklist.to(uid, "COMPLETED", "2.25.1")
        assert ear.hear().value("ProcedureStepState") == "COMPLETED"
        assert worklist.unsubscribe(uid, aet).status_code == 200
        ear.silence()
    assert worklist.unsubscribe(uid, aet).status_code == 404


def test_every_workitem_is_told_to_who_wants_all(worklist: Worklist, aet: str) -> None:
    before = worklist.make()
    assert worklist.subscribe(EVERY, aet).status_code == 201
    with worklist.listening(aet) as ear:
        made = worklist.make(ScheduledStationNameCodeSequence=code("GPU"))
        heard = [ear.hear(), ear.hear()]
        assert [(one.uid, one.type) for one in heard] == [(made, STATE), (made, ASSIGNED)]
        worklist.to(before, "IN PROGRESS", "1.2")  # those that were there are told of, too
        assert ear.hear().uid == before
        assert worklist.send("POST", f"/workitems/{EVERY}/subscribers/{aet}/suspend").status_code == 200
        unheard = worklist.make()
        worklist.send("POST", f"/workitems/{made}/cancelrequest")
        kinds = [(one.uid, one.type) for one in (ear.hear(), ear.hear(), ear.hear())]
        assert kinds == [(made, CANCEL), (made, STATE), (made, STATE)], "requested, begun, canceled"
        assert unheard not in {uid for uid, _ in kinds}
        ear.silence()
    assert worklist.send("POST", f"/workitems/{EVERY}/subscribers/{aet}/suspend").status_code == 404


def test_a_lock_on_everything_begins_with_every_state(worklist: Worklist, aet: str) -> None:
    made = {worklist.make() for _ in range(3)}
    worklist.subscribe(EVERY, aet, deletionlock="true")
    with worklist.listening(aet) as ear:
        heard: set[str] = set()
        while not made <= heard:
            one = ear.hear()
            assert one.type == STATE
            assert one.value("InputReadinessState")
            heard.add(one.uid)


def test_a_filter_lets_through_what_matches(worklist: Worklist, aet: str) -> None:
    there = worklist.make(WorklistLabel=f"For {aet}", ScheduledProcedureStepPriority="HIGH")
    keys = f"WorklistLabel=For {aet},ScheduledProcedureStepPriority=HIGH"
    assert worklist.subscribe(FILTERED, aet, filter=keys).status_code == 201
    with worklist.listening(aet) as ear:
        worklist.make(WorklistLabel=f"For {aet}")
        worklist.make(ScheduledProcedureStepPriority="HIGH")
        made = worklist.make(WorklistLabel=f"For {aet}", ScheduledProcedureStepPriority="HIGH")
        worklist.to(there, "IN PROGRESS", "1.2")
        assert [ear.hear().uid, ear.hear().uid] == [made, there]
        ear.silence()
        assert worklist.unsubscribe(FILTERED, aet).status_code == 200
        worklist.make(WorklistLabel=f"For {aet}", ScheduledProcedureStepPriority="HIGH")
        ear.silence()


def test_subscriptions_that_make_no_sense_are_refused(worklist: Worklist, aet: str) -> None:
    uid = worklist.make()
    assert worklist.subscribe("1.2.3.9", aet).status_code == 404
    assert worklist.subscribe(uid, "a" * 17).status_code == 400
    assert worklist.subscribe(uid, "%20").status_code == 400
    assert worklist.subscribe(uid, aet, deletionlock="perhaps").status_code == 400
    assert worklist.subscribe(uid, aet, filter="PatientID=1").status_code == 400
    for wrong in ("", "PatientID", "=1", "NoSuchThing=1", "PatientBirthDate=soon"):
        assert worklist.subscribe(FILTERED, aet, filter=wrong).status_code == 400, wrong
    assert worklist.unsubscribe(EVERY, aet).status_code == 404
    assert worklist.send("POST", f"/workitems/{uid}/subscribers/{aet}/suspend").status_code == 400
    with pytest.raises(InvalidStatus) as refused, worklist.listening("a" * 17):
        pass
    assert refused.value.response.status_code == 400


def test_what_was_missed_is_told_after_a_break_and_a_restart(tmp_path: Path) -> None:
    config = Config(data=tmp_path / "data")
    with running(config) as url:
        worklist = Worklist(f"{url}/dicom-web")
        worklist.subscribe(EVERY)
        with worklist.listening() as ear:
            first = worklist.make()
            assert ear.hear().uid == first
        missed = worklist.make()
    with running(config) as url:
        worklist = Worklist(f"{url}/dicom-web")
        last = worklist.make()
        with worklist.listening() as ear:
            heard = []
            while last not in heard:
                heard.append(ear.hear().uid)
        assert heard[-2:] == [missed, last]
        repeated = worklist.repeated()  # what was told just before the break may come once more
        told = [first, missed, last]
        assert repeated == told[len(told) - len(repeated) :]
        assert worklist.repeated() == []


def test_many_listeners_hear_everything_in_order(worklist: Worklist, aet: str) -> None:
    names = [f"{aet[:10]}{n}" for n in range(4)]
    made = [fresh_uid() for _ in range(12)]
    with ExitStack() as stack:
        for name in names:
            worklist.subscribe(EVERY, name)
        ears = [stack.enter_context(worklist.listening(name)) for name in names]
        senders = [
            threading.Thread(target=lambda part: [worklist.make(uid) for uid in part], args=(made[n::3],))
            for n in range(3)
        ]
        for sender in senders:
            sender.start()
        heard = [[ear.hear().uid for _ in made] for ear in ears]
        for sender in senders:
            sender.join()
    assert all(sorted(one) == sorted(made) for one in heard)
    assert all(one == heard[0] for one in heard), "one order for all"
    for name in names:
        worklist.unsubscribe(EVERY, name)


def test_the_connection_ends_with_the_archive(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with running(Config(data=tmp_path / "data")) as url:
            ear = stack.enter_context(Worklist(f"{url}/dicom-web").listening())
        with pytest.raises(ConnectionClosed):
            ear.socket.recv(timeout=20)


def test_strangers_and_foreign_pages_hear_nothing(tmp_path: Path) -> None:
    auth = AuthConfig(tokens=(TokenEntry("viewer", VIEWER[1], ("viewer",)),))
    web = WebConfig(cors_origins=("https://viewer.example",))
    with running(Config(data=tmp_path / "data", auth=auth, web=web)) as url:
        shown = {"Authorization": f"Bearer {VIEWER[0]}"}
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            (shown | {"Origin": "https://evil.example"}, 403),
        ):
            with pytest.raises(InvalidStatus) as refused, Worklist(f"{url}/dicom-web", headers).listening():
                pass
            assert refused.value.response.status_code == status
            assert refused.value.response.headers["X-Content-Type-Options"] == "nosniff"
        for origin in ("https://viewer.example", url):
            with Worklist(f"{url}/dicom-web", shown | {"Origin": origin}).listening() as ear:
                ear.silence(0.2)
        viewer = Worklist(f"{url}/dicom-web", shown)
        assert viewer.send("POST", "/workitems", [{}]).status_code == 403
        with pytest.raises(InvalidStatus) as refused, Worklist(f"{url}/elsewhere", shown).listening():
            pass
        assert refused.value.response.status_code == 404
