"""Who is let in by AE title and address, and what a station may do once it is in."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dimse.command import Command, Operation
from dimse.contexts import MODALITY_WORKLIST, PERFORMED_STEP, STORAGE_COMMITMENT
from dimse.pdu import Kind
from dimse.report import INSTANCE
from pacs.auth.actor import system
from pacs.config import Peer as Known
from pacs.config.peers import RIGHTS, RightName
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, Open, serving
from tests.support.dimse_client import Client, identifier
from tests.support.factory import ct_series
from tests.support.postgres import PostgresServer
from tests.unit.dimse.fakes import CT, FIND, GET, MOVE, VERIFICATION, Peer, store_rq

HERE = "127.0.0.1"
LONGEST = "SIXTEEN_LETTERS_"
PERMANENT_CALLED = (1, 1, 7)  # PS3.8 Table 9-21
PERMANENT_CALLING = (1, 1, 3)
IDENTIFIER = (
    bytes.fromhex("0800 5200 4353 0600") + b"STUDY " + bytes.fromhex("2000 0D00 5549 0400") + b"1.2\0"
)
NEEDED: dict[tuple[Operation, str], RightName] = {
    (Operation.C_ECHO, VERIFICATION): "echo",
    (Operation.C_STORE, CT): "store",
    (Operation.C_FIND, FIND): "query",
    (Operation.C_MOVE, MOVE): "retrieve",
    (Operation.C_GET, GET): "retrieve",
    (Operation.N_ACTION, STORAGE_COMMITMENT): "commitment",
    (Operation.C_FIND, MODALITY_WORKLIST): "worklist",
    (Operation.N_CREATE, PERFORMED_STEP): "mpps",
    (Operation.N_SET, PERFORMED_STEP): "mpps",
}
COMPOSITE = dict(reversed(NEEDED))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Authentication is on; callers have to call HILUM."""
    callers = (
        Known("PEER", HERE),
        Known("AWAY", "192.0.2.1"),
        Known(LONGEST, HERE),
        Known("SENDER", HERE, roles=("sender",), rights=("query", "store")),
        *(Known(right.upper(), HERE, rights=(right,)) for right in RIGHTS),
    )
    with serving(tmp_path_factory.mktemp("guarded"), callers=callers, require_called_aet=True) as house:
        yield house


@contextmanager
def caller(house: House) -> Iterator[Peer]:
    with Peer(socket.create_connection((HERE, house.port), timeout=10)) as peer:
        yield peer


def rejected(house: House, **titles: Any) -> tuple[int, int, int] | None:
    """Result, source and reason of the refusal; None for an association."""
    with caller(house) as peer:
        kind, body = peer.ask((VERIFICATION, uids.IMPLICIT_LE), **titles)
        if kind is Kind.ASSOCIATE_AC:
            peer.release()
            return None
        assert kind is Kind.ASSOCIATE_RJ
        return body[1], body[2], body[3]


def status(
    house: House, operation: Operation, aet: str = "PEER", *, model: str = "", destination: str = "PEER"
) -> int | None:
    model = model or COMPOSITE[operation]
    requested = operation in {Operation.N_ACTION, Operation.N_SET}
    message = Command(
        operation,
        message_id=1,
        sop_class="" if requested else model,
        sop_instance="1.2.3" if operation in {Operation.C_STORE, Operation.N_CREATE} else "",
        requested_sop_class=model if requested else "",
        requested_sop_instance=(
            "" if not requested else INSTANCE if model == STORAGE_COMMITMENT else "1.2.3"
        ),
        action_type=1 if operation is Operation.N_ACTION else None,
        move_destination=destination,
        dataset_type=0x0101 if operation is Operation.C_ECHO else 1,
    )
    with caller(house) as peer:
        peer.associate((model, uids.EXPLICIT_LE), calling_aet=aet)
        peer.request(1, message, None if operation is Operation.C_ECHO else IDENTIFIER)
        answer = peer.message()[0]
        peer.release()
    return answer.status


@pytest.mark.parametrize("title", ["PEER", "  PEER", "PEER\0\0", "PEER\0\x12junk", LONGEST])
def test_padding_of_a_calling_title_does_not_count(guarded: House, title: str) -> None:
    assert rejected(guarded, calling_aet=title) is None


@pytest.mark.parametrize("title", ["peer", "PEE", "PEER2", "P EER", "", "SIXTEEN_LETTERS"])
def test_another_calling_title_is_refused_for_good(guarded: House, title: str) -> None:
    assert rejected(guarded, calling_aet=title) == PERMANENT_CALLING


def test_a_known_title_from_another_address_is_refused_for_good(guarded: House) -> None:
    assert rejected(guarded, calling_aet="AWAY") == PERMANENT_CALLING


@pytest.mark.parametrize("title", ["HILUM", " HILUM "])
def test_the_called_title_where_it_must_be_ours(guarded: House, title: str) -> None:
    assert rejected(guarded, called_aet=title) is None


@pytest.mark.parametrize("title", ["hilum", "OTHER", "", LONGEST])
def test_another_called_title_is_refused_for_good(guarded: House, title: str) -> None:
    assert rejected(guarded, called_aet=title) == PERMANENT_CALLED


def test_a_called_title_of_sixteen_characters(open_house: Open) -> None:
    house = open_house(aet=LONGEST, require_called_aet=True)
    client = Client(house.port, aet=LONGEST[::-1], called=LONGEST)
    assert client.find(identifier("STUDY", StudyInstanceUID=""))[0] == 0
    assert rejected(house, called_aet=LONGEST[:-1]) == PERMANENT_CALLED


@pytest.mark.peer("dcmtk")
def test_dcmtk_is_told_which_title_is_wrong(guarded: House) -> None:
    def echo(calling: str, called: str) -> tuple[int, str]:
        done = subprocess.run(
            ["echoscu", "-aet", calling, "-aec", called, HERE, str(guarded.port)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    assert echo("PEER", "HILUM")[0] == 0
    code, said = echo("PEER", "OTHER")
    assert code
    assert "Called AE Title Not Recognized" in said
    code, said = echo("STRANGER", "HILUM")
    assert code
    assert "Calling AE Title Not Recognized" in said
    assert "Rejected Permanent" in said


@pytest.mark.parametrize("right", RIGHTS)
def test_a_right_opens_its_own_services_and_no_other(guarded: House, right: RightName) -> None:
    allowed = {
        (operation, model)
        for operation, model in NEEDED
        if status(guarded, operation, right.upper(), model=model) != 0x0124
    }
    assert allowed == {asked for asked, needed in NEEDED.items() if needed == right}


def test_who_may_not_retrieve_does_not_learn_which_destinations_there_are(guarded: House) -> None:
    for aet, expected in (("RETRIEVE", 0xA801), ("STORE", 0x0124)):
        assert status(guarded, Operation.C_MOVE, aet, destination="NOWHERE") == expected


def test_no_role_is_made_of_a_right(guarded: House) -> None:
    assert status(guarded, Operation.C_FIND, "SENDER") == 0x0124
    assert status(guarded, Operation.C_STORE, "SENDER") != 0x0124


def test_what_is_refused_is_written_down(guarded: House) -> None:
    for operation in (Operation.C_FIND, Operation.C_STORE):
        assert status(guarded, operation, "RETRIEVE") == 0x0124
    assert rejected(guarded, calling_aet="SOMEBODY") == PERMANENT_CALLING
    found = list(guarded.archive.audit_trail(system("test")))
    rows = {(row.actor, row.action, row.outcome, row.roles) for row in found}
    assert ("RETRIEVE", "search", "forbidden", "sender,viewer (retrieve)") in rows
    assert ("RETRIEVE", "store", "forbidden", "sender,viewer (retrieve)") in rows
    assert ("SOMEBODY", "enter", "refused", "") in rows


def test_strangers_are_refused_by_setting_where_nobody_has_to_prove_anything(open_house: Open) -> None:
    house = open_house(unknown_stations="refuse", peers=(Known("DEST", HERE),))
    assert rejected(house, called_aet="ANYTHING", calling_aet="DEST") is None
    assert rejected(house, calling_aet="STRANGER") == PERMANENT_CALLING
    assert rejected(house, calling_aet="DEST") is None


def test_strangers_are_admitted_by_setting_with_the_rights_of_strangers(open_house: Open) -> None:
    house = open_house(
        callers=(Known("TESTER", HERE),), unknown_stations="admit", unknown_rights=("echo", "store")
    )
    (item,) = ct_series(1, rows=8, columns=8)
    stranger = Client(house.port, aet="STRANGER")
    assert stranger.store([item]) == {item.instance: 0}
    keys = identifier("STUDY", StudyInstanceUID="")
    assert stranger.find(keys)[0] == 0x0124
    code, found = house.client.find(keys)
    assert (code, [one.StudyInstanceUID for one in found]) == (0, [item.study])


def test_rights_hold_for_known_stations_where_strangers_come_in_too(open_house: Open) -> None:
    house = open_house(peers=(Known("PEER", HERE, rights=("echo",)),))
    assert status(house, Operation.C_ECHO) == 0
    assert status(house, Operation.C_FIND) == 0x0124
    assert house.client.find(identifier("STUDY", StudyInstanceUID=""))[0] == 0


@pytest.mark.parametrize("title", ["A\0B", "A\nINFO  main x=y", "\x1b[2J", "A\x9bB", "A\\B", ""], ids=repr)
def test_what_no_title_may_hold(
    tmp_path: Path, postgres: PostgresServer, caplog: pytest.LogCaptureFixture, title: str
) -> None:
    """Control characters and backslashes (PS3.5 6.2): neither an index nor a log is misled by them."""
    caplog.set_level("INFO")
    (item,) = ct_series(1, rows=8, columns=8)
    with serving(tmp_path, index_url=postgres.fresh_url()) as house, caller(house) as peer:
        peer.associate((CT, uids.EXPLICIT_LE), (FIND, uids.EXPLICIT_LE), calling_aet=title)
        peer.request(1, store_rq(1, item.instance), item.dataset)
        assert peer.message()[0].status == 0
        asked = Command(Operation.C_FIND, message_id=2, sop_class=FIND, dataset_type=1)
        peer.request(3, asked, IDENTIFIER)
        assert peer.message()[0].status == 0
        peer.release()
    assert caplog.messages
    assert all(line.isprintable() for line in caplog.messages)
