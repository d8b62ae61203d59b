"""A-ABORT in the middle of C-MOVE, C-GET and storage commitment, by either side, on a real archive: no
residue, and nothing is lost. In the middle of C-STORE: see test_broken_associations."""

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from dimse import command, pdu
from dimse.associate import Role
from dimse.command import Command, Operation
from dimse.contexts import STORAGE_COMMITMENT
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, Open
from tests.conformance.dimse.test_broken_associations import live, open_files, spooled
from tests.conformance.dimse.test_commitment import ME, Served, served, some  # noqa: F401 - a fixture
from tests.conformance.dimse.test_half_open import study_keys
from tests.conftest import TORTURE
from tests.support.commitment import ask, references
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Inbox, Station, identifier, wait_for
from tests.support.factory import ct_series, fresh_uid
from tests.support.ports import free_port
from tests.unit.dimse.fakes import CT, GET, MOVE, VERIFICATION, Peer, commitment_rq, value

EXPLICIT = "1.2.840.10008.1.2.1"
SIDE = 8 if TORTURE else 64
OBJECTS = 5000 if TORTURE else 12
SLOWLY_S = 0.0005 if TORTURE else 0.03


class Moody(Inbox):
    """Takes its time, and aborts in answer to the `fatal`-th object, once."""

    fatal = 0
    count = 0

    def handle(self, event: evt.Event) -> int:
        self.count += 1
        time.sleep(SLOWLY_S)
        if self.count == self.fatal:
            event.assoc.abort()
            return 0xC000
        return super().handle(event)


@contextlib.contextmanager
def moody(fatal: int = 0) -> Iterator[Station]:
    inbox, ae, port = Moody(), AE("DEST"), free_port()
    inbox.fatal = fatal
    ae.add_supported_context(CT, EXPLICIT)
    server = ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, inbox.handle)])
    try:
        yield Station("DEST", port, inbox)
    finally:
        server.shutdown()


def knock(house: House) -> Peer:
    return Peer(socket.create_connection(("127.0.0.1", house.port), timeout=60))


def nothing_is_left(house: House) -> None:
    wait_for(lambda: not live("dimse-") and not live("pending"))
    assert not spooled(house)
    assert not [name for name in open_files(house.archive.config.data) if name.endswith(".dcm")]


def filled(open_house: Open, destination: Station) -> tuple[House, tuple[DicomObject, ...]]:
    house, items = open_house(destination), ct_series(OBJECTS, rows=SIDE, columns=SIDE)
    assert set(house.client.store(items).values()) == {0}
    return house, items


@pytest.mark.torture
@pytest.mark.timeout(900 if TORTURE else 300)
def test_who_asked_for_a_move_aborts(open_house: Open) -> None:
    with moody() as destination:
        house, items = filled(open_house, destination)
        with knock(house) as peer:
            peer.associate((VERIFICATION, uids.IMPLICIT_LE), (MOVE, uids.EXPLICIT_LE))
            asked = Command(
                Operation.C_MOVE, message_id=1, sop_class=MOVE, move_destination="DEST", dataset_type=1
            )
            peer.request(3, asked, study_keys(items[0]))
            assert peer.message()[0].status == 0xFF00
            peer.send(pdu.abort())
            nothing_is_left(house)
        assert 0 < len(destination.inbox.objects) < OBJECTS
        final, _ = house.client.move(identifier("STUDY", StudyInstanceUID=items[0].study), "DEST")
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, OBJECTS)
        assert set(destination.inbox.objects) == {item.instance for item in items}


@pytest.mark.torture
@pytest.mark.timeout(900 if TORTURE else 300)
def test_the_destination_of_a_move_aborts(open_house: Open) -> None:
    """It is called again for the others; the one it aborted at is listed."""
    with moody(fatal=4) as destination:
        house, items = filled(open_house, destination)
        with house.client.association([build_context(MOVE)]) as association:
            *_, (final, missed) = association.send_c_move(
                identifier("STUDY", StudyInstanceUID=items[0].study), "DEST", MOVE
            )
        assert final.Status == 0xB000
        assert (final.NumberOfCompletedSuboperations, final.NumberOfFailedSuboperations) == (OBJECTS - 1, 1)
        assert missed.FailedSOPInstanceUIDList == items[3].instance
        nothing_is_left(house)
        assert set(destination.inbox.objects) == {item.instance for item in items} - {items[3].instance}


@pytest.mark.torture
@pytest.mark.timeout(900 if TORTURE else 300)
def test_who_gets_aborts(open_house: Open) -> None:
    with moody() as destination:
        house, items = filled(open_house, destination)
        with knock(house) as peer:
            peer.associate(
                (GET, uids.EXPLICIT_LE), (CT, uids.EXPLICIT_LE), roles=(Role(CT, scu=False, scp=True),)
            )
            asked = Command(Operation.C_GET, message_id=1, sop_class=GET, dataset_type=1)
            peer.request(1, asked, study_keys(items[0]))
            assert peer.read() is not None
            peer.send(pdu.abort())
            nothing_is_left(house)
        _, got = house.client.get(identifier("STUDY", StudyInstanceUID=items[0].study), [(CT, EXPLICIT)])
        assert {uid: one.digest for uid, one in got.items()} == {one.instance: one.digest for one in items}


def test_a_commitment_that_breaks_off_was_never_asked_for(served: Served) -> None:  # noqa: F811
    before = len(served.archive.commitments.shown(ME, limit=1000))
    with Peer(socket.create_connection(("127.0.0.1", served.port), timeout=60)) as peer:
        peer.associate((STORAGE_COMMITMENT, uids.EXPLICIT_LE), calling_aet="MODALITY")
        asked = commitment_rq()
        peer.send(value(1, command.encode(asked), is_command=True, is_last=True))
        peer.send(value(1, bytes.fromhex("0800 9511 5549 0600") + b"1.2.3\0") + pdu.abort())
        wait_for(lambda: not live("dimse-"))
    assert len(served.archive.commitments.shown(ME, limit=1000)) == before


@pytest.mark.parametrize("times", range(3))
def test_a_commitment_is_told_by_calling_when_its_association_is_aborted(
    served: Served,  # noqa: F811
    times: int,
) -> None:
    """At once after the answer, or while the result is under way."""
    items = some(5)
    served.store(*items)
    with served.modality.association(served.port) as association:
        transaction = fresh_uid()
        assert ask(association, references(items), transaction) == 0
        time.sleep(0.03 * times)
        association.abort()
    report = served.modality.reports.of(transaction)
    assert report.kept == {item.instance for item in items}
    wait_for(lambda: not live("pending"))
