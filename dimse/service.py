"""The DIMSE role: accepts connections on a listening socket, one thread an association."""

import contextlib
import select
import socket
import threading
from typing import Final

from dimse import acceptor, credentials, session, tls
from dimse.acceptor import Terms, Welcome
from dimse.associate import AssociateReject, AssociateRequest
from dimse.errors import AssociationEnded, ProtocolError
from dimse.ports import Archive
from dimse.upper_layer import Association
from pacs import clock, log
from pacs.auth.actor import Actor
from pacs.crowd import DEFERENCE_S, Place, alone
from pacs.errors import PacsError

_STOP_POLL: Final = 0.25
_GRACE: Final = 5.0  # seconds that running associations get to finish when the role is told to stop
_IDLE: Final = 1.0  # and those on which nothing is asked for so long are not waited for
_LAST_GRACE: Final = 1.0
_UNDECIDED: Final = 64  # connections beyond the association limit that may still be told so
_SHORTAGE_PAUSE: Final = 0.1
_log = log.get(__name__)


def serve(archive: Archive, sock: socket.socket, stop: threading.Event, place: Place | None = None) -> None:
    """Accept until `stop` is set, then let running associations finish for a few seconds.

    `sock` listens already and may be shared with other processes, among which `place` is ours. Raises
    Unavailable when TLS is wanted and cannot be had."""
    if archive.config.dimse.tls.on:
        tls.server_context(archive.config.dimse.tls)  # its trouble is told now, not to the first caller
    house = _House(archive, place or alone())
    sock.settimeout(0)
    arrivals = select.poll()
    arrivals.register(sock, select.POLLIN)
    while not stop.is_set():
        if not arrivals.poll(_STOP_POLL * 1000):
            continue
        if house.defers:
            stop.wait(DEFERENCE_S)
        try:
            connection, address = sock.accept()
        except BlockingIOError:
            continue
        except OSError as error:
            # Out of descriptors, or the caller has gone again: neither ends the service.
            _log.warning("connection not accepted reason=%s", error.strerror)
            stop.wait(_SHORTAGE_PAUSE)
            continue
        house.admit(connection, str(address[0]))
    house.close()


class _House:
    """The associations of this process."""

    def __init__(self, archive: Archive, place: Place) -> None:
        config = archive.config.dimse
        place.begin()
        self._place = place
        self._archive = archive
        self._config = config
        self._terms = Terms(
            config.max_pdu,
            config.acse_timeout,
            config.idle_timeout,
            config.unknown_sop_classes,
            archive.retrieve.abilities.writes,
            config.transfer_syntaxes,
        )
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._open: set[Association] = set()
        self._promised = 0

    def admit(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            if len(self._threads) >= self._config.max_associations + _UNDECIDED:
                connection.close()
                return
            thread = threading.Thread(
                target=self._live, args=(connection, address), name=f"dimse-{address}", daemon=True
            )
            self._threads[thread] = connection
        self._place.come()
        try:
            thread.start()
        except RuntimeError:
            _log.error("no thread for a connection from=%s", address)
            self._leave(thread, connection)

    @property
    def defers(self) -> bool:
        """Whether a caller is to be left to another process of the port, for a moment."""
        return self._place.defers

    def close(self) -> None:
        deadline = clock.monotonic() + _GRACE
        while self._threads and clock.monotonic() < deadline:
            self._cut_idle()
            self._join(_STOP_POLL)
        with self._lock:
            late, connections = list(self._open), list(self._threads.values())
        for association in late:
            association.cut()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._join(_LAST_GRACE)

    def _cut_idle(self) -> None:
        with self._lock:
            idle = [association for association in self._open if association.is_idle(_IDLE)]
        for association in idle:
            association.cut()

    def _join(self, seconds: float) -> None:
        deadline = clock.monotonic() + seconds
        with self._lock:
            running = list(self._threads)
        for thread in running:
            thread.join(max(deadline - clock.monotonic(), 0))

    def _live(self, connection: socket.socket, address: str) -> None:
        visit = _Visit(self, address)
        try:
            connection = self._secured(connection)
            association = acceptor.accept(connection, address, self._terms, visit.judge)
            if association is not None and visit.actor is not None:
                self._serve(visit.actor, association)
        except AssociationEnded as error:
            _log.info("no association from=%s reason=%s", address, error)
        finally:
            visit.leave()
            self._leave(threading.current_thread(), connection)

    def _leave(self, thread: threading.Thread, connection: socket.socket) -> None:
        connection.close()
        self._place.go()
        with self._lock:
            del self._threads[thread]

    def _secured(self, connection: socket.socket) -> socket.socket:
        """Behind the TLS handshake, where there is one. Raises AssociationEnded."""
        if not self._config.tls.on:
            return connection
        secure = tls.accepted(connection, self._config.tls, self._config.acse_timeout)
        with self._lock:
            self._threads[threading.current_thread()] = secure
        return secure

    def _serve(self, actor: Actor, association: Association) -> None:
        with self._lock:
            self._open.add(association)
        parties = association.parties
        _log.info("associated calling=%s from=%s", parties.calling_aet, parties.address)
        try:
            session.run(self._archive, actor, association)
        except ProtocolError as error:
            _log.warning("aborted calling=%s reason=%s", parties.calling_aet, error)
            association.abort(error.reason)
        except AssociationEnded as error:
            _log.info("ended calling=%s reason=%s", parties.calling_aet, error)
            association.abort()
        finally:
            with self._lock:
                self._open.discard(association)

    def take_place(self) -> bool:
        with self._lock:
            free = self._promised < self._config.max_associations
            self._promised += free
            return free

    def give_place(self) -> None:
        with self._lock:
            self._promised -= 1

    @property
    def archive(self) -> Archive:
        return self._archive


class _Visit:
    """One caller at the door."""

    def __init__(self, house: _House, address: str) -> None:
        self._house = house
        self._address = address
        self._has_place = False
        self.actor: Actor | None = None

    def judge(self, request: AssociateRequest) -> AssociateReject | Welcome:
        config = self._house.archive.config.dimse
        if config.require_called_aet and request.called_aet != config.aet:
            return acceptor.CALLED_AET_NOT_RECOGNIZED
        token = credentials.token_of(request.identity)
        visitor = self._house.archive.door.visitor(request.calling_aet, self._address, token)
        if visitor is None:
            self._write_down(request.calling_aet, "unknown station" if token is None else "unknown token")
            return acceptor.CALLING_AET_NOT_RECOGNIZED if token is None else acceptor.NO_REASON
        self._has_place = self._house.take_place()
        if not self._has_place:
            return acceptor.LOCAL_LIMIT_EXCEEDED
        self.actor = visitor.actor
        peer = config.peers.get(request.calling_aet)
        return Welcome(
            credentials.answer_to(request.identity, proved=visitor.proved),
            peer.accept_transfer_syntaxes if peer else (),
        )

    def _write_down(self, calling_aet: str, reason: str) -> None:
        try:
            self._house.archive.turned_away("dimse", calling_aet, self._address, reason)
        except PacsError as error:
            _log.error("refused caller not written down kind=%s", type(error).__name__)

    def leave(self) -> None:
        if self._has_place:
            self._house.give_place()
