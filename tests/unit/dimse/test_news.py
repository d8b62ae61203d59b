"""Whoever asked for a retrieval hears of it, however long a sub-operation takes."""

import threading
import time
from collections.abc import Iterator

import pytest

from dimse.command import Operation
from pacs.dicom import uids
from tests.support.dimse_client import wait_for
from tests.unit.dimse.fakes import MOVE, service
from tests.unit.dimse.test_retrieve import STUDY, Destination, get, move, moving, rq

EVERY = 0.05
LONG = 0.5


def slowly() -> Iterator[bytes]:
    for _ in range(5):
        time.sleep(LONG / 5)
        yield bytes(10)


def hesitant() -> Iterator[bytes]:
    """As from a tier that takes its time for the first byte."""
    time.sleep(LONG)
    yield bytes(50)


@pytest.mark.parametrize(
    "destination",
    [Destination(silent_before_accepting=LONG), Destination(silent_before_answering=LONG)],
    ids=["association", "answer"],
)
def test_while_the_destination_takes_its_time(destination: Destination) -> None:
    with moving(destination, pending_seconds=EVERY) as running:
        running.archive.put("1.2.1", b"data")
        out = move(running)
    assert len(out.pending) >= 4
    assert [p.remaining for p in out.pending] == [1] * (len(out.pending) - 1) + [0]
    assert out.counts == (None, 1, 0, 0)


@pytest.mark.parametrize("chunks", [slowly, hesitant])
def test_while_the_object_takes_its_time(chunks: "type[Iterator[bytes]]") -> None:
    with moving(Destination(), pending_seconds=EVERY) as running:
        running.archive.put_stream("1.2.1", chunks)
        out = move(running)
    assert len(out.pending) >= 4
    assert out.counts == (None, 1, 0, 0)


def test_a_data_set_under_way_is_not_interrupted() -> None:
    """Both go over one association: news would end up in the middle of the object."""
    with service(pending_seconds=EVERY) as running:
        running.archive.put_stream("1.2.1", slowly)
        out = get(running)
        assert out.received == {"1.2.1": bytes(50)}
        assert out.counts == (None, 1, 0, 0)


def test_get_tells_before_an_object_comes() -> None:
    with service(pending_seconds=EVERY) as running:
        running.archive.put_stream("1.2.1", hesitant)
        out = get(running)
        assert len(out.pending) >= 4
        assert out.received == {"1.2.1": bytes(50)}


def test_nothing_more_is_sent_for_who_has_gone() -> None:
    destination = Destination()
    with moving(destination, pending_seconds=EVERY) as running:
        for n in range(30):
            running.archive.put_stream(f"1.2.{n}", slowly)
        with running.peer() as peer:
            peer.associate((MOVE, uids.EXPLICIT_LE))
            peer.request(1, rq(Operation.C_MOVE, "DEST"), STUDY)
            peer.message()
        wait_for(lambda: not any(one.name.startswith("dimse-") for one in threading.enumerate()), 10)
    assert len(destination.received) < 20
