"""Requests of our own: to pynetdicom, and from one archive to another."""

import contextlib
import hashlib
from collections.abc import Iterator

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification

from dimse import calls, scu_query
from dimse.associate import Role
from dimse.calls import Call
from dimse.channel import Counts
from dimse.requestor import Target
from dimse.scu_query import Delivery, Elements
from dimse.status import SUCCESS, Status
from pacs.config import Config, DimseConfig, Peer
from pacs.dicom.attributes import tag_of
from pacs.errors import Conflict, Forbidden, NotFound, Unavailable
from tests.conformance.dimse.conftest import House, Open
from tests.support.dimse_client import STUDY_ROOT, station
from tests.support.factory import ct_series
from tests.support.ports import free_port
from tests.unit.dimse.fakes import CT, FIND, GET, MOVE

EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = tag_of("StudyInstanceUID")


def keys(level: str, **more: str) -> Elements:
    named = {"QueryRetrieveLevel": level, **more}
    kinds = {"StudyInstanceUID": "UI", "SOPInstanceUID": "UI", "SeriesInstanceUID": "UI"}
    return {
        tag_of(keyword): {"vr": kinds.get(keyword, "CS"), "Value": [value] if value else []}
        for keyword, value in named.items()
    }


def target(port: int) -> Target:
    return Target("127.0.0.1", port, "HILUM", "US", acse_timeout=10, idle_timeout=20)


@contextlib.contextmanager
def called(house: House, model: str, *, storing: bool = False) -> Iterator[Call]:
    wanted = [(model, calls.PLAIN), *([(CT, (EXPLICIT,))] if storing else [])]
    roles = (Role(CT, scu=False, scp=True),) if storing else ()
    with Call.open(target(house.port), wanted, roles) as line:
        yield line


@contextlib.contextmanager
def scp(*handlers: object, contexts: tuple[object, ...] = (STUDY_ROOT,)) -> Iterator[int]:
    ae = AE("HILUM")
    for one in contexts:
        ae.add_supported_context(one)
    port = free_port()
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=list(handlers))
    try:
        yield port
    finally:
        server.shutdown()


def config(port: int) -> Config:
    return Config(dimse=DimseConfig(peers={"HILUM": Peer("HILUM", "127.0.0.1", port)}))


@pytest.mark.parametrize("status", [0x0000, 0x0122])
def test_echo(status: int) -> None:
    with scp((evt.EVT_C_ECHO, lambda _: status), contexts=(Verification,)) as port:
        found = calls.echo(config(port), "HILUM")
    assert found.status == status
    assert found.associated_s > 0
    assert found.echoed_s > 0


def test_what_can_go_wrong_has_a_kind(open_house: Open) -> None:
    with pytest.raises(NotFound, match="OTHER"):
        calls.echo(config(1), "OTHER")
    with pytest.raises(Unavailable, match="Connection refused"):
        calls.echo(config(free_port()), "HILUM")
    with scp() as port, pytest.raises(Conflict, match="does not accept"):
        calls.echo(config(port), "HILUM")
    house = open_house(require_called_aet=True)
    with (
        pytest.raises(Forbidden, match="not known under this AE title"),
        Call.open(Target("127.0.0.1", house.port, "WRONG", "US"), ((FIND, calls.PLAIN),)),
    ):
        pass


def answers(number: int) -> Iterator[tuple[int, Dataset | None]]:
    for n in range(number):
        found = Dataset()
        found.QueryRetrieveLevel = "STUDY"
        found.StudyInstanceUID = f"1.2.{n}"
        yield 0xFF00, found


def test_find_at_another_archive() -> None:
    with (
        scp((evt.EVT_C_FIND, lambda _: answers(5))) as port,
        Call.open(target(port), ((FIND, calls.PLAIN),)) as line,
    ):
        found = list(scu_query.find(line.dialogue, line.context(FIND), keys("STUDY", StudyInstanceUID="")))
        assert [one.identifier.text(STUDY)[0] for one in found if one.identifier] == [
            f"1.2.{n}" for n in range(5)
        ]
        assert found[-1].status.is_success


def test_who_has_enough_cancels_the_rest() -> None:
    cancelled: list[bool] = []

    def endless(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for one in answers(1_000_000):
            if event.is_cancelled:
                cancelled.append(True)
                yield 0xFE00, None
                return
            yield one

    with scp((evt.EVT_C_FIND, endless)) as port, Call.open(target(port), ((FIND, calls.PLAIN),)) as line:
        found = scu_query.find(line.dialogue, line.context(FIND), keys("STUDY", StudyInstanceUID=""))
        assert next(found).status.is_pending
        found.close()
        again = scu_query.find(line.dialogue, line.context(FIND), keys("STUDY", StudyInstanceUID=""))
        assert next(again).status.is_pending, "the association goes on"
        again.close()
    assert cancelled == [True, True]


def test_move_from_another_archive(open_house: Open) -> None:
    items = ct_series(4, rows=8, columns=8)
    with station([(CT, EXPLICIT)]) as destination:
        house = open_house(destination)
        house.client.store(items)
        with called(house, MOVE) as line:
            wanted = keys("STUDY", StudyInstanceUID=items[0].study)
            said = list(scu_query.move(line.dialogue, line.context(MOVE), wanted, destination.aet))
            refused = list(scu_query.move(line.dialogue, line.context(MOVE), wanted, "ELSEWHERE"))
        assert said[-1].counts == Counts(None, 4, 0, 0)
        assert [one.counts.remaining for one in said[:-1]] == [3, 2, 1, 0]
        assert set(destination.inbox.objects) == {item.instance for item in items}
    assert [one.status.code for one in refused] == [0xA801]


def test_get_from_another_archive(open_house: Open) -> None:
    """Piece by piece; what is not kept is listed."""
    items = ct_series(4, rows=64, columns=64)
    house = open_house()
    house.client.store(items)
    got: dict[str, str] = {}

    def keep(delivery: Delivery) -> Status:
        if delivery.command.sop_instance == items[1].instance:
            return Status(0xA700, "disk full")
        digest = hashlib.sha256()
        for fragment in delivery.fragments:
            digest.update(fragment)
        got[delivery.command.sop_instance] = digest.hexdigest()
        return SUCCESS

    with called(house, GET, storing=True) as line:
        wanted = keys("STUDY", StudyInstanceUID=items[0].study)
        said = list(scu_query.get(line.dialogue, line.context(GET), wanted, keep))
    assert got == {item.instance: item.digest for item in items if item is not items[1]}
    assert said[-1].status.code == 0xB000
    assert said[-1].counts == Counts(None, 3, 1, 0)
    assert said[-1].failed_instances == (items[1].instance,)


def test_a_get_that_is_left_is_cancelled(open_house: Open) -> None:
    items = ct_series(40, rows=8, columns=8)
    house = open_house()
    house.client.store(items)
    taken: list[str] = []

    def keep(delivery: Delivery) -> Status:
        taken.append(delivery.command.sop_instance)
        return SUCCESS

    with called(house, GET, storing=True) as line:
        wanted = keys("STUDY", StudyInstanceUID=items[0].study)
        going = scu_query.get(line.dialogue, line.context(GET), wanted, keep)
        next(going)
        going.close()
        rest = list(scu_query.get(line.dialogue, line.context(GET), wanted, keep))
    assert rest[-1].counts.completed == 40
    assert 1 <= len(taken) - 40 < 40
