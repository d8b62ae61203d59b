"""C-CANCEL of a C-FIND (PS3.7 9.3.2.3, PS3.4 C.4.1.2.3) on a table that takes long to search."""

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from dimse import pdu
from dimse.command import Command, Operation
from pacs.db import schema
from pacs.db.connection import Database
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, serving
from tests.support.cancelling import CANCELLED, MESSAGE_ID, cancel, final
from tests.support.postgres import PostgresServer
from tests.unit.dimse.fakes import FIND, Peer

STUDIES = 1_000_000 if os.environ.get("HILUM_TORTURE") else 60_000
SLOW_KEYS = 400 if os.environ.get("HILUM_TORTURE") else 900
CANCEL_AFTER = 0.3
AT_ONCE = 2.0  # seconds, on a machine that has other things to do as well


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    postgres: PostgresServer = request.getfixturevalue("postgres")
    url = postgres.fresh_url() if request.param == "postgresql" else ""
    folder: Path = tmp_path_factory.mktemp("big")
    with serving(folder, index_url=url) as house:
        fill(house.archive.db)
        yield house


def fill(db: Database) -> None:
    """Patients of one study each, without series: what a query at the STUDY level reads."""
    first = sa.select(sa.literal(1).label("number")).cte("numbers", recursive=True)
    numbers = first.union_all(sa.select(first.c.number + 1).where(first.c.number < STUDIES))
    number = numbers.c.number
    text = sa.cast(number, sa.Text)
    patient = {"patient_key": text, "patient_id": sa.literal("PATIENT-") + text}
    study = {"patient_id_fk": number, "study_instance_uid": sa.literal("1.2.3.") + text}
    with db.write() as tx:
        for table, known in ((schema.patients, patient), (schema.studies, study)):
            row = {"id": number, "attrs": sa.literal("{}"), **known}
            unknown = {c.name: _nothing(c) for c in table.columns if not c.nullable and c.name not in row}
            columns = row | unknown
            tx.execute(sa.insert(table).from_select(list(columns), sa.select(*columns.values())))


def _nothing(column: "sa.Column[object]") -> sa.ColumnElement[object]:
    return sa.literal(0 if isinstance(column.type, sa.Integer | sa.BigInteger) else "")


@contextmanager
def asking(house: House, key: bytes) -> Iterator[Peer]:
    """A station that has just asked for the studies of a patient ID."""
    with Peer(socket.create_connection(("127.0.0.1", house.port), timeout=60)) as peer:
        peer.associate((FIND, uids.EXPLICIT_LE))
        message = Command(Operation.C_FIND, message_id=MESSAGE_ID, sop_class=FIND, priority=0, dataset_type=1)
        peer.request(1, message, identifier(key))
        yield peer


def identifier(patient_id: bytes) -> bytes:
    level = struct.pack("<HH2sH", 0x0008, 0x0052, b"CS", 6) + b"STUDY "
    patient_id += b" " * (len(patient_id) % 2)
    key = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", len(patient_id)) + patient_id
    return level + key + struct.pack("<HH2sH", 0x0020, 0x000D, b"UI", 0)


NOBODY = b"\\".join(b"*%d*nobody*" % n for n in range(SLOW_KEYS))
"""So many patterns that every row costs time, and none fits: no match ever gives cause to look up."""


def test_before_the_first_match_while_the_database_is_at_work(house: House) -> None:
    with asking(house, NOBODY) as peer:
        time.sleep(CANCEL_AFTER)
        asked = time.monotonic()
        cancel(peer)
        assert final(peer) == (CANCELLED, 0)
        assert time.monotonic() - asked < AT_ONCE
        cancel(peer)  # of nothing any more
        peer.release()


def test_the_search_would_have_taken_longer(house: House) -> None:
    """What proves that it was ended: by itself it is not over soon after the cancel above was sent."""
    with asking(house, NOBODY) as peer:
        peer.sock.settimeout(2 * CANCEL_AFTER)
        with pytest.raises(TimeoutError):
            final(peer)


def test_after_the_first_matches(house: House) -> None:
    with asking(house, b"PATIENT-*") as peer:
        for _ in range(3):
            assert peer.message()[0].status == 0xFF00
        asked = time.monotonic()
        cancel(peer)
        status, matches = final(peer)
        assert status == CANCELLED
        assert time.monotonic() - asked < AT_ONCE
        assert matches < STUDIES / 2
        peer.release()


def test_together_with_the_request(house: House) -> None:
    with asking(house, b"") as peer:
        cancel(peer)
        status, matches = final(peer)
        assert status == CANCELLED
        assert matches < STUDIES / 2
        peer.release()


def test_a_cancel_of_another_message_changes_nothing(house: House) -> None:
    with asking(house, b"PATIENT-1?") as peer:
        peer.request(1, Command(Operation.C_CANCEL, responded_to=8))
        assert final(peer) == (0, 10)
        peer.release()


def test_a_peer_that_goes_away_is_not_searched_for_any_longer(house: House) -> None:
    with asking(house, NOBODY) as peer:
        time.sleep(0.2)
        peer.send(pdu.abort())
        gone = time.monotonic()
        assert peer.at_end()
        assert time.monotonic() - gone < AT_ONCE
    with asking(house, b"PATIENT-11") as peer:
        assert final(peer) == (0, 1)
        peer.release()
