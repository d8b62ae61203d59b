"""Storage commitment, push model (PS3.4 J): asked and heard by pynetdicom."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from pydicom.uid import UID

from dimse.command import Command, Operation
from dimse.contexts import STORAGE_COMMITMENT
from dimse.dataset import encode
from dimse.service import serve
from pacs.auth.actor import Actor, Role
from pacs.commitment.model import Shown
from pacs.config import Config, DimseConfig, Peer
from pacs.dicom.attributes import tag_of
from pacs.dicom.uids import EXPLICIT_LE
from pacs.runtime import Archive, open_archive
from tests.conftest import TORTURE
from tests.support.commitment import Modality, Report, ask, listening, modality, references
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, wait_for
from tests.support.factory import Patient, ct_series, fresh_uid
from tests.support.ports import free_port
from tests.unit.dimse.fakes import FIND, VERIFICATION, commitment_rq
from tests.unit.dimse.fakes import Peer as Raw

ME = Actor("me", frozenset(Role), "here", "cli")
MR = "1.2.840.10008.5.1.4.1.1.4"
MANY = 10_000 if TORTURE else 600


@dataclass(frozen=True, slots=True)
class Served:
    """An archive with its crew at work, and the modality that it knows under several names."""

    archive: Archive
    port: int
    modality: Modality

    def called(self, aet: str) -> Modality:
        return replace(self.modality, aet=aet)

    def shown(self, transaction: str) -> Shown:
        found = self.archive.commitments.shown(ME, limit=1000)
        return next(one for one in found if one.commitment.transaction_uid == transaction)

    def store(self, *items: DicomObject) -> None:
        assert set(Client(self.port).store(items).values()) == {0}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with contextlib.ExitStack() as stack:
        station = stack.enter_context(modality())
        peers = {
            "MODALITY": Peer("MODALITY", "127.0.0.1", station.port),
            "CALLBACK": Peer("CALLBACK", "127.0.0.1", station.port, commitment="new"),
            "AWAY": Peer("AWAY", "127.0.0.1", free_port(), commitment="new"),
        }
        settings = replace(DimseConfig(), peers=MappingProxyType(peers), call_timeout=6.0)
        archive = open_archive(Config(data=_data(tmp_path_factory), dimse=settings))
        stack.callback(archive.close)
        crew = archive.crew()
        crew.start()
        stack.callback(crew.stop)
        stop = threading.Event()
        sock = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        thread = threading.Thread(target=serve, args=(archive, sock, stop))
        thread.start()
        stack.callback(thread.join, 15)
        stack.callback(stop.set)
        yield Served(archive, sock.getsockname()[1], station)


def _data(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("commitment") / "data"


def some(number: int = 3) -> tuple[DicomObject, ...]:
    return ct_series(number, rows=8, columns=8)


def test_told_on_the_same_association(served: Served) -> None:
    items = some()
    served.store(*items)
    report = served.modality.ask_and_stay(served.port, references(items))
    assert (report.event_type, report.own, report.failed) == (1, False, {})
    assert report.kept == {item.instance for item in items}
    wait_for(lambda: served.shown(report.transaction).commitment.told_ns)
    assert served.shown(report.transaction).commitment.told_by == "same association"


@pytest.mark.parametrize("aet", ["MODALITY", "CALLBACK"])
def test_told_by_calling_back(served: Served, aet: str) -> None:
    """The archive calls in the role of the SCP of the service."""
    items = some()
    served.store(*items)
    transaction = served.called(aet).ask(served.port, references(items))
    report = served.modality.reports.of(transaction)
    assert (report.event_type, report.own) == (1, True)
    assert report.kept == {item.instance for item in items}
    wait_for(lambda: served.shown(transaction).commitment.told_ns)
    assert served.shown(transaction).commitment.told_by == "new association"


def test_a_station_that_wants_to_be_called_is_not_told_before(served: Served) -> None:
    items = some(1)
    served.store(*items)
    report = served.called("CALLBACK").ask_and_stay(served.port, references(items))
    assert report.own


def test_each_failure_has_its_reason(served: Served) -> None:
    items = some(4)
    served.store(*items)
    damage(served.archive, items[1])
    remove(served.archive, items[2])
    absent = fresh_uid()
    wanted = [*references(items[:3]), (MR, items[3].instance), (items[0].sop_class, absent)]
    report = served.modality.ask_and_stay(served.port, wanted)
    assert report.event_type == 2
    assert report.kept == {items[0].instance}
    assert report.failed == {
        items[1].instance: 0x0110,
        items[2].instance: 0x0110,
        items[3].instance: 0x0119,
        absent: 0x0112,
    }
    assert served.shown(report.transaction).commitment.failed == 4


def damage(archive: Archive, item: DicomObject) -> None:
    """Change one byte of the stored file, and nothing else of it."""
    (path,) = archive.stores.hot.root.rglob(f"{item.instance}.dcm")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.chmod(0o640)
    path.write_bytes(raw)


def remove(archive: Archive, item: DicomObject) -> None:
    (path,) = archive.stores.hot.root.rglob(f"{item.instance}.dcm")
    path.unlink()


def test_a_transaction_uid_is_good_for_one_request(served: Served) -> None:
    items = some(2)
    served.store(*items)
    first = served.modality.ask_and_stay(served.port, references(items[:1]))
    wait_for(lambda: served.shown(first.transaction).commitment.told_ns)
    with served.modality.association(served.port) as association:
        assert ask(association, references(items), first.transaction) == 0
        wait_for(lambda: len(of(served, first.transaction)) == 2)
    _, again = of(served, first.transaction)
    assert (again.event_type, again.kept) == (2, frozenset())
    assert again.failed == {item.instance: 0x0131 for item in items}


def of(served: Served, transaction: str) -> list[Report]:
    return [one for one in served.modality.reports.got if one.transaction == transaction]


def test_the_same_request_again_is_one_commitment(served: Served) -> None:
    """Whoever lost the answer asks again; it is told once that its objects are kept."""
    items = some(1)
    served.store(*items)
    transaction = fresh_uid()
    with served.called("AWAY").association(served.port) as association:
        assert ask(association, references(items), transaction) == 0
        assert ask(association, references(items), transaction) == 0
    found = served.archive.commitments.shown(ME, limit=1000)
    assert [one.commitment.transaction_uid for one in found].count(transaction) == 1


def test_a_result_that_is_not_taken_comes_over_an_association_of_its_own(served: Served) -> None:
    items = some(1)
    served.store(*items)
    served.modality.reports.statuses.append(0x0110)
    report = served.modality.ask_and_stay(served.port, references(items))
    assert report.own


def test_told_between_other_messages(served: Served) -> None:
    """While the result waits for its answer the association serves what comes."""
    items = some(3)
    served.store(*items)
    with served.modality.association(served.port) as association:
        transactions = [fresh_uid() for _ in range(10)]
        for transaction in transactions:
            assert ask(association, references(items), transaction) == 0
        reports = [served.modality.reports.of(transaction) for transaction in transactions]
    assert {report.event_type for report in reports} == {1}


def test_a_request_sent_ahead_is_not_kept_waiting(served: Served) -> None:
    """The station never answers the result; what it asks meanwhile is answered, also what came during
    another request."""
    (item,) = some(1)
    served.store(item)
    wish: dict[int, dict[str, Any]] = {
        tag_of("TransactionUID"): {"vr": "UI", "Value": [fresh_uid()]},
        tag_of("ReferencedSOPSequence"): {
            "vr": "SQ",
            "Value": [
                {
                    "00081150": {"vr": "UI", "Value": [item.sop_class]},
                    "00081155": {"vr": "UI", "Value": [item.instance]},
                }
            ],
        },
    }
    keys = {
        tag_of("QueryRetrieveLevel"): {"vr": "CS", "Value": ["IMAGE"]},
        tag_of("SOPInstanceUID"): {"vr": "UI", "Value": []},
    }
    asked = commitment_rq()
    find = Command(Operation.C_FIND, message_id=2, sop_class=FIND, priority=0, dataset_type=1)
    echo = Command(Operation.C_ECHO, message_id=3, sop_class=VERIFICATION)
    with Raw(socket.create_connection(("127.0.0.1", served.port), timeout=20)) as peer:
        contexts = ((name, EXPLICIT_LE) for name in (STORAGE_COMMITMENT, FIND, VERIFICATION))
        peer.associate(*contexts, calling_aet="MODALITY")
        peer.request(1, asked, encode(wish, EXPLICIT_LE))
        assert peer.message()[0].status == 0
        peer.request(3, find, encode(keys, EXPLICIT_LE))
        peer.request(5, echo)
        fields = []
        while 0x8030 not in fields:
            fields.append(peer.message()[0].field)
        while Operation.N_EVENT_REPORT not in fields:
            fields.append(peer.message()[0].field)
        # Who does not answer is called instead, while the association stays open.
        (transaction,) = wish[tag_of("TransactionUID")]["Value"]
        assert served.modality.reports.of(transaction).own


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"action": 2}, 0x0123),
        ({"instance": UID("1.2.3")}, 0x0112),
        ({"transaction": ""}, 0x0115),
        ({"references": ()}, 0x0115),
        ({"references": (("1.2.840.10008.5.1.4.1.1.2", ""),)}, 0x0115),
    ],
    ids=["another action", "another instance", "no transaction UID", "no objects", "no instance UID"],
)
def test_requests_that_are_refused(served: Served, changes: dict[str, object], status: int) -> None:
    words: dict[str, object] = {"references": (("1.2.3", "1.2.3"),), "transaction": fresh_uid(), **changes}
    with served.modality.association(served.port) as association:
        assert ask(association, **words) == status  # type: ignore[arg-type]


def test_a_station_that_is_away_is_called_again(served: Served) -> None:
    items = some(1)
    served.store(*items)
    transaction = served.called("AWAY").ask(served.port, references(items))
    wait_for(lambda: served.shown(transaction).attempts >= 1 and "AWAY" in served.shown(transaction).reason)
    assert not served.shown(transaction).commitment.told_ns
    port = served.archive.config.dimse.peers["AWAY"].port
    with listening(served.modality.reports, port):
        assert served.modality.reports.of(transaction).event_type == 1


@pytest.mark.torture
@pytest.mark.parametrize("aet", ["MODALITY", "CALLBACK"])
def test_thousands_of_objects_in_one_request(served: Served, aet: str) -> None:
    """Each is listed once, as kept or with its reason, over either way."""
    items = some(20)
    served.store(*items)
    absent = [(items[0].sop_class, fresh_uid()) for _ in range(MANY - len(items))]
    transaction = served.called(aet).ask(served.port, [*references(items), *absent, *references(items[:5])])
    report = served.modality.reports.of(transaction, 300.0)
    assert report.kept == {item.instance for item in items}
    assert report.failed == {instance: 0x0112 for _, instance in absent}


def test_a_station_without_an_address_is_shown(served: Served) -> None:
    items = some(1)
    served.store(*items)
    transaction = served.called("STRANGER").ask(served.port, references(items))
    wait_for(lambda: "STRANGER" in served.shown(transaction).reason)


def test_the_trail_names_the_studies(served: Served) -> None:
    items = ct_series(1, rows=8, columns=8, patient=Patient("Doe^Jane", "P-42"))
    served.store(*items)
    report = served.modality.ask_and_stay(served.port, references(items))
    trail = list(served.archive.audit_trail(ME, study_uid=items[0].study, limit=10))
    asked = next(row for row in trail if row.action == "commit")
    assert (asked.actor, asked.patient_id) == ("MODALITY", "P-42")
    assert report.transaction in asked.detail
