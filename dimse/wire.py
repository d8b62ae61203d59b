"""A blocking socket that carries PDUs: one reused buffer in, scattered buffers out, time-outs."""

import contextlib
import os
import select
import socket
import threading
from collections.abc import Sequence
from ssl import SSLSocket
from typing import Final

from dimse.errors import AssociationEnded, TimedOut
from dimse.pdu import Pdu, PduBuffer
from pacs import clock

_BATCH: Final = 512  # buffers for one sendmsg; the system's limit is 1024
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))


class Wire:
    """Read by one thread. Others may send meanwhile, but not while a deadline is set: a socket has one
    time-out for both."""

    def __init__(self, sock: socket.socket, *, max_length: int, timeout: float) -> None:
        self._sock = sock
        self._buffer = PduBuffer(max_length)
        self._timeout = timeout
        self._patience: float | None = None  # what the socket is set to
        self._sending = threading.Lock()
        _tune(sock)

    def set_timeout(self, seconds: float) -> None:
        """How long the peer may be silent, or not take what is sent."""
        self._timeout = seconds

    def read(self, *, deadline: float | None = None) -> Pdu:
        """The next PDU. Raises ProtocolError, TimedOut or AssociationEnded.

        The peer may be silent for the time-out; `deadline` (monotonic) bounds the whole PDU, so that
        a byte now and then does not hold a thread."""
        while True:
            pdu = self._buffer.take()
            if pdu is not None:
                return pdu
            self._receive(self._timeout if deadline is None else deadline - clock.monotonic())

    def readable(self, seconds: float = 0.0) -> bool:
        """Whether something has arrived that was not read yet; waits for it at most so long."""
        if self._buffer.has_pdu() or (isinstance(self._sock, SSLSocket) and self._sock.pending()):
            return True
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def send(self, buffers: Sequence[bytes | memoryview]) -> None:
        """Send all of the buffers in order. Raises TimedOut or AssociationEnded."""
        with self._sending:
            try:
                self._wait_for(self._timeout)
                for begin in range(0, len(buffers), _BATCH):
                    self._send_batch(list(buffers[begin : begin + _BATCH]))
            except TimeoutError as error:
                raise TimedOut("the peer does not take what is sent") from error
            except OSError as error:
                raise AssociationEnded(f"connection lost while sending: {error.strerror}") from error

    def cut(self, last_words: bytes) -> None:
        """End the connection from another thread than the reading one."""
        if mine := self._sending.acquire(timeout=0.2):
            with contextlib.suppress(OSError):
                if isinstance(self._sock, SSLSocket):
                    last_words = b""  # to encrypt them takes what the reading thread is using
                # Past the socket object, whose time-out the reading thread relies on at this moment;
                # the descriptor of a socket with a time-out never blocks.
                os.write(self._sock.fileno(), last_words)
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if mine:
            self._sending.release()  # only now: nothing is said after the last words

    def finish(self, seconds: float) -> None:
        """Say that nothing more will be sent, and wait for the peer to close (ARTIM, PS3.8 9.1.5).

        Closing at once with unread bytes would reset the connection and could destroy the last PDU
        before the peer has read it."""
        deadline = clock.monotonic() + seconds
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            while (rest := deadline - clock.monotonic()) > 0:
                self._sock.settimeout(rest)
                if not self._sock.recv(65_536):
                    break
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.close()

    def _receive(self, seconds: float) -> None:
        """What comes next, which may be waited for so long."""
        if seconds <= 0:
            raise TimedOut("the peer is silent")
        try:
            self._wait_for(seconds)
            count = self._sock.recv_into(self._buffer.space())
        except TimeoutError as error:
            raise TimedOut("the peer is silent") from error
        except OSError as error:
            raise AssociationEnded(f"connection lost: {error.strerror}") from error
        if not count:
            raise AssociationEnded("connection closed by the peer")
        self._acknowledge()
        self._buffer.filled(count)

    def _wait_for(self, seconds: float) -> None:
        """Each setting is a system call, and it is mostly the same."""
        if seconds != self._patience:
            self._sock.settimeout(seconds)
            self._patience = seconds

    def _acknowledge(self) -> None:
        """Say at once what has arrived: a peer that leaves Nagle's algorithm on sends the rest of its
        message only then, and a delayed acknowledgement would cost it 40 ms. The system forgets the
        option with every acknowledgement."""
        if _QUICKACK is None:
            return
        try:  # noqa: SIM105 - a context manager takes as long as the call itself
            self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except OSError:
            pass

    def _send_batch(self, batch: list[bytes | memoryview]) -> None:
        while batch:
            sent = self._sock.sendmsg(batch)
            done = 0
            while done < len(batch) and sent >= len(batch[done]):
                sent -= len(batch[done])
                done += 1
            del batch[:done]
            if batch and sent:
                batch[0] = memoryview(batch[0])[sent:]


def _tune(sock: socket.socket) -> None:
    """No delay, or Nagle and delayed acknowledgements cost 40 ms an exchange; keep-alive, or a peer
    that lost its power holds its thread until the idle time-out."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE:
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
