"""With authentication on: strangers get no association, and every service asks for its right."""

import socket

import pytest
from pydicom.uid import UID

from dimse import contexts
from dimse.command import Command, Operation
from dimse.contexts import STORAGE_COMMITMENT
from dimse.session import SERVICES
from pacs.config import Peer as Known
from pacs.config.peers import RoleName
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, Open
from tests.support.dimse_client import identifier
from tests.unit.dimse.fakes import CT, FIND, GET, MOVE, VERIFICATION, Peer, commitment_rq

CLASSES = {
    Operation.C_ECHO: VERIFICATION,
    Operation.C_STORE: CT,
    Operation.C_FIND: FIND,
    Operation.C_MOVE: MOVE,
    Operation.C_GET: GET,
}
NEEDED: dict[Operation, RoleName] = {
    Operation.C_STORE: "sender",
    Operation.C_FIND: "viewer",
    Operation.C_MOVE: "viewer",
    Operation.C_GET: "viewer",
}
IDENTIFIER = (
    bytes.fromhex("0800 5200 4353 0600") + b"STUDY " + bytes.fromhex("2000 0D00 5549 0400") + b"1.2\0"
)


def known(*roles: RoleName) -> Known:
    return Known("PEER", "127.0.0.1", 104, roles)


def status(house: House, operation: Operation, model: str = "") -> int | None:
    """What the station PEER is answered to a request of this kind."""
    model = model or CLASSES[operation]
    message = Command(
        operation,
        message_id=1,
        sop_class=model,
        sop_instance="1.2.3" if operation in {Operation.C_STORE, Operation.N_CREATE} else "",
        move_destination="PEER",
        dataset_type=0x0101 if operation is Operation.C_ECHO else 1,
    )
    with Peer(socket.create_connection(("127.0.0.1", house.port), timeout=10)) as peer:
        peer.associate((model, uids.EXPLICIT_LE))
        peer.request(1, message, None if operation is Operation.C_ECHO else IDENTIFIER)
        answer = peer.message()[0]
        peer.release()
    return answer.status


@pytest.mark.parametrize("operation", sorted(SERVICES))
def test_every_service_refuses_who_has_no_right(open_house: Open, operation: int) -> None:
    assert status(open_house(callers=(known(),)), Operation(operation)) == 0x0124


@pytest.mark.parametrize(
    ("operation", "model"),
    [(Operation.C_FIND, contexts.MODALITY_WORKLIST), (Operation.N_CREATE, contexts.PERFORMED_STEP)],
)
def test_what_modalities_ask_and_tell_takes_a_role(
    open_house: Open, operation: Operation, model: str
) -> None:
    house = open_house(callers=(known(), Known("TESTER", "127.0.0.1", 104, ("sender",))))
    assert status(house, operation, model) == 0x0124
    if operation is Operation.C_FIND:  # a modality that may only send needs its worklist, too
        assert house.client.find(identifier("STUDY"), UID(model))[0] == 0


@pytest.mark.parametrize("operation", NEEDED)
def test_the_right_role_is_enough_and_the_other_is_not(open_house: Open, operation: Operation) -> None:
    house = open_house(callers=(known(NEEDED[operation]), Known("TESTER", "127.0.0.1", 104, ("sender",))))
    assert status(house, operation) != 0x0124
    assert house.client.find(identifier("STUDY", StudyInstanceUID=""))[0] == 0x0124


@pytest.mark.parametrize(("role", "answer"), [("viewer", 0x0124), ("sender", 0x0115), ("admin", 0x0115)])
def test_who_may_send_may_ask_for_commitment(open_house: Open, role: RoleName, answer: int) -> None:
    """The request names nothing, which only those hear who may ask."""
    house = open_house(callers=(known(role),))
    message = commitment_rq()
    with Peer(socket.create_connection(("127.0.0.1", house.port), timeout=10)) as peer:
        peer.associate((STORAGE_COMMITMENT, uids.EXPLICIT_LE))
        peer.request(1, message, IDENTIFIER)
        assert peer.message()[0].status == answer
        peer.release()


def test_a_stranger_gets_no_association(open_house: Open) -> None:
    house = open_house(callers=(known("admin"),))
    with Peer(socket.create_connection(("127.0.0.1", house.port), timeout=10)) as peer:
        assert peer.rejected(calling_aet="STRANGER") == (1, 1, 3)
