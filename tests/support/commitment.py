"""pynetdicom as a modality that wants to know whether its objects are kept (PS3.4 J)."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StorageCommitmentPushModel

from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, wait_for
from tests.support.factory import fresh_uid
from tests.support.ports import free_port

INSTANCE = UID("1.2.840.10008.1.20.1.1")
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Report:
    """A result as it came; `own` says that the archive called for it."""

    event_type: int
    transaction: str
    kept: frozenset[str]
    failed: dict[str, int]
    own: bool


@dataclass(slots=True)
class Reports:
    """Answers `statuses` in turn, then success."""

    got: list[Report] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def called(self, event: evt.Event) -> tuple[int, None]:
        return self._take(event, own=True)

    def over_the_same(self, event: evt.Event) -> tuple[int, None]:
        return self._take(event, own=False)

    def _take(self, event: evt.Event, *, own: bool) -> tuple[int, None]:
        said = event.event_information
        kept = frozenset(str(one.ReferencedSOPInstanceUID) for one in said.get("ReferencedSOPSequence", ()))
        failed = {
            str(one.ReferencedSOPInstanceUID): int(one.FailureReason)
            for one in said.get("FailedSOPSequence", ())
        }
        with self.lock:
            status = self.statuses.pop(0) if self.statuses else 0
            if status == 0:
                self.got.append(Report(event.event_type, str(said.TransactionUID), kept, failed, own))
        return status, None

    def of(self, transaction: str, seconds: float = PATIENCE) -> Report:
        """The one result of this transaction."""
        wait_for(lambda: any(one.transaction == transaction for one in self.got), seconds)
        (found,) = (one for one in self.got if one.transaction == transaction)
        return found


@dataclass(frozen=True, slots=True)
class Modality:
    """Asks, and listens on a port of its own."""

    aet: str
    port: int
    reports: Reports

    @contextlib.contextmanager
    def association(self, archive_port: int) -> Iterator[Association]:
        handlers = [(evt.EVT_N_EVENT_REPORT, self.reports.over_the_same)]
        client = Client(archive_port, aet=self.aet)
        with client.association([build_context(StorageCommitmentPushModel)], handlers=handlers) as joined:
            yield joined

    def ask(self, archive_port: int, references: Iterable[tuple[str, str]]) -> str:
        """Ask and hang up; returns the transaction UID."""
        with self.association(archive_port) as association:
            transaction = fresh_uid()
            assert ask(association, references, transaction) == 0
        return transaction

    def ask_and_stay(self, archive_port: int, references: Iterable[tuple[str, str]]) -> Report:
        """Ask and wait for the result on the association."""
        with self.association(archive_port) as association:
            transaction = fresh_uid()
            assert ask(association, references, transaction) == 0
            return self.reports.of(transaction)


def ask(
    association: Association,
    references: Iterable[tuple[str, str]],
    transaction: str,
    *,
    action: int = 1,
    instance: UID = INSTANCE,
) -> int:
    """N-ACTION; the status, -1 without an answer."""
    wanted = Dataset()
    wanted.TransactionUID = transaction
    items = []
    for sop_class, sop_instance in references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class
        item.ReferencedSOPInstanceUID = sop_instance
        items.append(item)
    wanted.ReferencedSOPSequence = items
    status, _ = association.send_n_action(wanted, action, StorageCommitmentPushModel, instance)
    return int(status.Status) if "Status" in status else -1


def references(items: Iterable[DicomObject]) -> list[tuple[str, str]]:
    return [(item.sop_class, item.instance) for item in items]


@contextlib.contextmanager
def listening(reports: Reports, port: int) -> Iterator[None]:
    """Take results that the archive calls for, in the role of the SCU of the service."""
    ae = AE("ANY")
    ae.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = ae.start_server(
        ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.called)]
    )
    assert server is not None
    try:
        yield
    finally:
        server.shutdown()
        time.sleep(0.05)


@contextlib.contextmanager
def modality(aet: str = "MODALITY") -> Iterator[Modality]:
    one = Modality(aet, free_port(), Reports())
    with listening(one.reports, one.port):
        yield one
