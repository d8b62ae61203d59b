"""Orders on both databases: placed once, shown, cancelled, and who may do what."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pacs.audit.record import trail
from pacs.auth.actor import Actor, Role
from pacs.errors import Conflict, Forbidden, Invalid, NotFound
from pacs.orders import read, schedule
from pacs.orders.model import Order
from pacs.orders.schedule import Schedule
from pacs.runtime import Archive
from tests.contract.conftest import ME, Opener
from tests.support.worklist import order, place

VIEWER = Actor("viewer", frozenset({Role.VIEWER}), "127.0.0.1", "dicomweb")
SENDER = Actor("sender", frozenset({Role.SENDER}), "127.0.0.1", "dicomweb")
NOBODY = Actor("nobody", frozenset(), "127.0.0.1", "dicomweb")


def test_placed_shown_and_cancelled(archive: Archive) -> None:
    orders = place(archive, *(order(accession=f"A{n}", patient=f"P{n}") for n in range(5)))
    assert archive.orders.get(ME, orders[2].number) == orders[2]
    first = archive.orders.page(ME, limit=3)
    assert [one.accession_number for one in first.orders] == ["A4", "A3", "A2"]
    rest = archive.orders.page(ME, limit=3, below=first.next)
    assert ([one.accession_number for one in rest.orders], rest.next) == (["A1", "A0"], None)

    cancelled = archive.orders.cancel(SENDER, orders[1].number)
    assert cancelled.cancelled_ns
    assert [step.status.value for step in cancelled.steps] == ["CANCELLED"]
    assert archive.orders.cancel(SENDER, orders[1].number) == cancelled
    assert len(archive.orders.page(ME, open_only=True).orders) == 4
    with pytest.raises(NotFound):
        archive.orders.cancel(ME, 999_999)
    with pytest.raises(NotFound):
        archive.orders.get(ME, 999_999)
    with pytest.raises(Invalid):
        archive.orders.page(ME, limit=0)
    rows = [(row.actor, row.action, row.study_uid) for row in trail(archive.db, patient_id="P1")]
    assert ("sender", "order", orders[1].study_uid) in rows


def test_the_same_order_again(archive: Archive) -> None:
    (first,) = place(archive, order())
    with pytest.raises(Conflict, match=f"order {first.number}"):
        place(archive, order())
    with pytest.raises(Conflict, match="Study Instance UID"):
        place(archive, order(accession="A2", _study_uid=first.study_uid))
    place(archive, order(_procedure={"id": "RP2", "description": "another of the same request"}))
    place(archive, order(patient="P2"))  # an accession number that is used again
    archive.orders.cancel(ME, first.number)
    place(archive, order())


def test_one_of_many_gets_it_in(opened: Opener) -> None:
    archives = [opened(), opened()]
    dataset = read.from_json(order(_study_uid="1.2.3.4"))

    def attempt(number: int) -> Order | Conflict:
        try:
            return archives[number % 2].orders.place(ME, dataset)
        except Conflict as refusal:
            return refusal

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(16)))
    assert sum(isinstance(one, Order) for one in outcomes) == 1


def test_who_may_do_what(archive: Archive) -> None:
    dataset = read.from_json(order())
    for actor in (VIEWER, NOBODY):
        with pytest.raises(Forbidden):
            archive.orders.place(actor, dataset)
    placed = archive.orders.place(SENDER, dataset)
    for actor in (VIEWER, NOBODY):
        with pytest.raises(Forbidden):
            archive.orders.cancel(actor, placed.number)
        with pytest.raises(Forbidden):
            archive.performing.create(actor, "1.2", {})
        with pytest.raises(Forbidden):
            archive.performing.set(actor, "1.2", {})
    for actor in (VIEWER, SENDER):
        assert archive.orders.get(actor, placed.number) == placed
        assert len(list(archive.schedule.stream(actor, schedule.ask([])))) == 1
    with pytest.raises(Forbidden):
        archive.orders.get(NOBODY, placed.number)
    with pytest.raises(Forbidden):
        archive.orders.page(NOBODY)
    with pytest.raises(Forbidden):
        archive.schedule.stream(NOBODY, schedule.ask([]))
    refused = [row for row in trail(archive.db, actor="nobody") if row.outcome == "forbidden"]
    assert len(refused) == 7


PATIENT, NAME, STEPS = (0x00100020,), (0x00100010,), 0x00400100


SEARCHES = (
    ([(PATIENT, ("P1",))], 1),
    ([(PATIENT, ("P_",))], 0),
    ([(PATIENT, ("P?",))], 2),
    ([(NAME, ("mueller*",))], 0),
    ([(NAME, ("MÜLLER*",))], 1),
    ([(NAME, ("%",))], 0),
    ([(NAME, ("*",))], 3),
    ([((STEPS, 0x00400001), ("CT\\1",))], 0),
    ([((STEPS, 0x00400001), ("CT1",)), ((STEPS, 0x00400002), ("20260705-20260706",))], 2),
    ([((STEPS, 0x00400001), ("C%",))], 0),
    ([((STEPS, 0x00080060), ("M*",))], 1),
    ([((STEPS, 0x00400002), ("20260705-20260706",)), ((STEPS, 0x00400003), ("1200-0900",))], 1),
)


def test_both_databases_find_the_same(archive: Archive) -> None:
    place(
        archive,
        order("P1", "Müller^Jörg", "A1"),
        order("P2", "Doe^Jane", "A2", start="2026-07-06T09:00"),
        order("Q30", "Doe^100%", "A3", modality="MR", station_aet="MR1", start="2026-07-07T09:00"),
    )
    for keys, expected in SEARCHES:
        found = list(archive.schedule.stream(ME, schedule.ask(keys)))
        assert len(found) == expected, keys


def test_a_search_that_reads_too_much_is_refused(archive: Archive) -> None:
    step = {"station_aet": "CT1", "modality": "CT", "start": "2026-07-05T10:00"}
    many = [{**step, "id": f"S{n}", "description": f"step {n}"} for n in range(100)]
    place(archive, *(order(accession=f"A{n}", _steps=many) for n in range(5)))
    narrow = Schedule(archive.db, archive.schedule._looks, scan_limit=300)
    described = ((STEPS, 0x00400007), ("nothing so",))
    with pytest.raises(Invalid, match="too wide"):
        list(narrow.stream(ME, schedule.ask([described])))
    assert list(archive.schedule.stream(ME, schedule.ask([described]))) == []
    asked = iter((False, True))
    given_up = narrow.stream(ME, schedule.ask([described]), lambda: next(asked))
    assert list(given_up) == [], "it ends before it has read too much"
    assert len(list(narrow.stream(ME, schedule.ask([((STEPS, 0x00400007), ("step*",))])))) == 500
