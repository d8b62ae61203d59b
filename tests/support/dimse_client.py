"""pynetdicom as an independent peer. Data sets cross as raw bytes: nothing is re-encoded here."""

import contextlib
import hashlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)
from pynetdicom.transport import AssociationSocket

from tests.support.archive_server import AET
from tests.support.dicom_object import DicomObject
from tests.support.ports import free_port

STUDY_ROOT = StudyRootQueryRetrieveInformationModelFind
PATIENT_ROOT = PatientRootQueryRetrieveInformationModelFind
MAX_CONTEXTS = 120
TIMEOUT = 60.0


def _shut(wrapped: AssociationSocket) -> None:
    """pynetdicom forgets to close a socket that never got connected."""
    if wrapped.socket is not None:
        with contextlib.suppress(OSError):
            wrapped.socket.shutdown(socket.SHUT_RDWR)
        wrapped.socket.close()


AssociationSocket._shutdown_socket = _shut


class NotAssociatedError(Exception):
    """The association was refused or broke."""


@dataclass(frozen=True, slots=True)
class Received:
    """An object that was sent to us, with the data set bytes exactly as they came."""

    instance: str
    sop_class: str
    transfer_syntax: str
    dataset: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.dataset).hexdigest()


@dataclass(slots=True)
class Inbox:
    """What has been received, by SOP Instance UID."""

    objects: dict[str, Received] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, event: evt.Event) -> int:
        request = event.request
        item = Received(
            str(request.AffectedSOPInstanceUID),
            str(request.AffectedSOPClassUID),
            str(event.context.transfer_syntax),
            request.DataSet.getvalue(),
        )
        with self.lock:
            self.objects[item.instance] = item
        return 0x0000


@dataclass(frozen=True, slots=True)
class Client:
    """One station that talks to the archive."""

    port: int
    aet: str = "TESTER"
    called: str = AET
    host: str = "127.0.0.1"

    @contextlib.contextmanager
    def association(
        self, contexts: Sequence[Any], extensions: Sequence[Any] = (), handlers: Sequence[Any] = ()
    ) -> Iterator[Association]:
        rejections: list[A_ASSOCIATE_RJ] = []

        def notice(event: evt.Event) -> None:
            """pynetdicom itself can forget a rejection when the machine is busy."""
            if isinstance(event.pdu, A_ASSOCIATE_RJ):
                rejections.append(event.pdu)

        ae = AE(self.aet)
        ae.requested_contexts = list(contexts)
        ae.connection_timeout = ae.acse_timeout = 15
        ae.dimse_timeout = ae.network_timeout = TIMEOUT
        joined = ae.associate(
            self.host, self.port, ae_title=self.called, ext_neg=list(extensions),
            evt_handlers=[(evt.EVT_PDU_RECV, notice), *handlers],
        )  # fmt: skip
        connection = joined.dul.socket.socket if joined.dul.socket else None
        if not joined.is_established or connection is None:
            if joined.ident is not None:
                joined.join(5)
            raise NotAssociatedError("rejected" if rejections else "not established")
        with contextlib.suppress(OSError):  # the peer may have gone again
            # pynetdicom leaves Nagle's algorithm on; every small exchange would wait 40 ms for an ACK
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield joined
        finally:
            if joined.is_established:
                joined.release()

    def store(self, objects: Iterable[DicomObject]) -> dict[str, int]:
        """Send each object's bytes as they are. Returns the status by SOP Instance UID; -1 stands
        for an association that broke before the answer came, -2 for a context not accepted."""
        wanted = list(objects)
        statuses: dict[str, int] = {}
        while wanted:
            batch, wanted = _that_fit(wanted)
            pairs = dict.fromkeys((item.sop_class, item.transfer_syntax) for item in batch)
            contexts = [build_context(*pair) for pair in pairs]
            with self.association(contexts) as association, paused(association):
                for item in batch:
                    statuses[item.instance] = store_raw(association, item)
                    if statuses[item.instance] == -1:
                        association.abort()
                        return statuses
        return statuses

    def find(
        self, identifier: Dataset, model: UID = STUDY_ROOT, *, cancel_after: int = 0
    ) -> tuple[int, list[Dataset]]:
        """Final status and the identifiers of the pending answers."""
        found: list[Dataset] = []
        with self.association([build_context(model)]) as association:
            final = -1
            for status, answer in association.send_c_find(identifier, model):
                final = status.Status if "Status" in status else -1
                if answer is not None:
                    found.append(answer)
                if cancel_after and len(found) == cancel_after:
                    association.send_c_cancel(1, query_model=model)
        return final, found

    def get(
        self, identifier: Dataset, pairs: Iterable[tuple[str, str | tuple[str, ...]]]
    ) -> tuple[Dataset, dict[str, Received]]:
        """C-GET over contexts for exactly these (SOP class, transfer syntax) pairs; several syntaxes
        are listed in one context. Returns the final response with its counters, and what came."""
        inbox = Inbox()
        model = StudyRootQueryRetrieveInformationModelGet
        kinds = list(dict.fromkeys(pairs))
        offered = ((name, [one] if isinstance(one, str) else list(one)) for name, one in kinds)
        contexts = [build_context(model), *(build_context(*pair) for pair in offered)]
        roles: list[SCP_SCU_RoleSelectionNegotiation] = [
            build_role(name, scp_role=True) for name in dict.fromkeys(pair[0] for pair in kinds)
        ]
        with self.association(contexts, roles, [(evt.EVT_C_STORE, inbox.handle)]) as association:
            last = _last(association.send_c_get(identifier, model))
        return last, inbox.objects

    def move(self, identifier: Dataset, destination: str) -> tuple[Dataset, list[Dataset]]:
        """C-MOVE. Returns the final response and all the pending ones before it."""
        model = StudyRootQueryRetrieveInformationModelMove
        with self.association([build_context(model)]) as association:
            answers = [status for status, _ in association.send_c_move(identifier, destination, model)]
        return answers[-1], answers[:-1]


def _that_fit(objects: list[DicomObject]) -> tuple[list[DicomObject], list[DicomObject]]:
    """As many objects as have at most MAX_CONTEXTS distinct contexts, and the rest."""
    pairs: set[tuple[str, str]] = set()
    for number, item in enumerate(objects):
        pairs.add((item.sop_class, item.transfer_syntax))
        if len(pairs) > MAX_CONTEXTS:
            return objects[:number], objects[number:]
    return objects, []


def _last(responses: Iterable[tuple[Dataset, Dataset | None]]) -> Dataset:
    final = Dataset()
    for status, _ in responses:
        final = status
    return final


@contextlib.contextmanager
def paused(association: Association) -> Iterator[None]:
    """Hold the dispatcher of incoming messages, which would take responses away from us. Once for
    all messages: it does not always notice being paused again at once."""
    association._reactor_checkpoint.clear()
    while not association._is_paused and association.is_alive():
        time.sleep(0.0001)
    try:
        yield
    finally:
        association._reactor_checkpoint.set()


def store_raw(association: Association, item: DicomObject) -> int:
    """One C-STORE of exactly these bytes (PS3.7 9.1.1), on a paused association; the status, -1
    without an answer, -2 without a context."""
    accepted = [
        context.context_id
        for context in association.accepted_contexts
        if context.abstract_syntax == item.sop_class and context.transfer_syntax[0] == item.transfer_syntax
    ]
    if not accepted:
        return -2
    request = C_STORE()
    request.MessageID = 1
    request.AffectedSOPClassUID = item.sop_class
    request.AffectedSOPInstanceUID = item.instance
    request.Priority = 2
    request.DataSet = BytesIO(item.dataset)
    if item.dataset:
        association.dimse.send_msg(request, accepted[0])
    else:
        _send_empty(association, request, accepted[0])
    _, response = association.dimse.get_msg(block=True)
    status = getattr(response, "Status", None)
    return -1 if status is None else int(status)


def _send_empty(association: Association, request: C_STORE, context_id: int) -> None:
    """Announce a data set and send a last fragment without bytes; pynetdicom would send none."""
    request.DataSet = BytesIO(b"\0\0")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    *commands, last = message.encode_msg(context_id, 16384)
    last.presentation_data_value_list = [[context_id, b"\x02"]]
    for primitive in (*commands, last):
        association.dul.send_pdu(primitive)


@dataclass(frozen=True, slots=True)
class Station:
    """A storage SCP of our own, as the destination of C-MOVE."""

    aet: str
    port: int
    inbox: Inbox

    def config(self) -> str:
        return f'[dimse.peers.{self.aet}]\nhost = "127.0.0.1"\nport = {self.port}\n'


@contextlib.contextmanager
def station(pairs: Iterable[tuple[str, str]], *, aet: str = "DEST", port: int = 0) -> Iterator[Station]:
    """Accepts exactly these (SOP class, transfer syntax) pairs and keeps what comes."""
    inbox = Inbox()
    ae = AE(aet)
    syntaxes: dict[str, list[str]] = {}
    for sop_class, syntax in pairs:
        syntaxes.setdefault(sop_class, []).append(syntax)
    for sop_class, wanted in syntaxes.items():
        ae.add_supported_context(sop_class, list(dict.fromkeys(wanted)))
    ae.maximum_associations = 50
    where = port or free_port()
    server = ae.start_server(
        ("127.0.0.1", where), block=False, evt_handlers=[(evt.EVT_C_STORE, inbox.handle)]
    )
    if server is None:
        raise RuntimeError("the station did not start")
    try:
        yield Station(aet, where, inbox)
    finally:
        server.shutdown()


def wait_for(condition: Any, seconds: float = 60.0) -> None:
    """Until the callable gives something true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def identifier(level: str, **keys: object) -> Dataset:
    """A C-FIND, C-GET or C-MOVE identifier."""
    ds = Dataset()
    ds.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(ds, keyword, value)
    return ds


@contextlib.contextmanager
def storescp(folder: Path, *options: str) -> Iterator[Station]:
    """DCMTK as the destination; objects are written as they come."""
    port = free_port()
    folder.mkdir()
    words = ["storescp", "-aet", "DEST", "+B", "-od", str(folder), *options, str(port)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: subprocess.run(["echoscu", "127.0.0.1", str(port)], check=False).returncode == 0)
            yield Station("DEST", port, Inbox())
        finally:
            process.terminate()
            process.wait(10)
