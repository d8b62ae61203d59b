"""An association, from either side (PS3.8 7, 9.2): P-DATA, release, abort."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from dimse import pdu
from dimse.contexts import Context
from dimse.errors import AbortReason, AssociationEnded, ProtocolError
from dimse.pdu import Kind, Pdu, Value
from dimse.wire import Wire
from pacs import clock

MAX_SENT: Final = 262_144  # what we put into one PDU when the peer takes any length
SMALLEST: Final = 8  # a value header and two bytes: below it nothing could be sent at all


@dataclass(frozen=True, slots=True)
class Parties:
    """Who is associated, in the words of the request. `address` is the other side's."""

    calling_aet: str
    called_aet: str
    address: str


class Association:
    """Established; made by `dimse.acceptor` and `dimse.requestor`. Used by one thread, except
    `cut`. Whatever ends it raises AssociationEnded, whatever the peer does wrong ProtocolError."""

    def __init__(
        self,
        wire: Wire,
        parties: Parties,
        contexts: Mapping[int, Context],
        *,
        peer_max_length: int,
        closing_timeout: float,
    ) -> None:
        if 0 < peer_max_length < SMALLEST:
            raise ProtocolError(f"maximum length {peer_max_length} leaves no room for data")
        self.parties = parties
        self.contexts = contexts
        self.wire = wire
        self._max_sent = min(peer_max_length or MAX_SENT, MAX_SENT)
        self._closing_timeout = closing_timeout
        self._values: deque[Value] = deque()
        self._idle_since: float | None = None

    def rest(self, *, idle: bool) -> None:
        """Say whether something is asked for and not answered yet."""
        self._idle_since = clock.monotonic() if idle else None

    def is_idle(self, seconds: float) -> bool:
        """Whether nothing was asked for so long. For any thread."""
        since = self._idle_since
        return since is not None and clock.monotonic() - since >= seconds

    def next_value(self) -> Value | None:
        """The next presentation data value; None when the peer has released the association, which
        is then answered and closed."""
        while not self._values:
            received = self.wire.read()
            if received.kind is Kind.RELEASE_RQ:
                self.wire.send([pdu.release_rp()])
                self.wire.finish(self._closing_timeout)
                return None
            self._take_data(received)
        return self._values.popleft()

    def readable(self, seconds: float = 0.0) -> bool:
        """Whether the peer has said something that was not read yet; waits for it at most so long."""
        return bool(self._values) or self.wire.readable(seconds)

    def send(
        self, context: Context, command: bytes, fragments: Iterable[bytes | memoryview] | None = None
    ) -> None:
        """One DIMSE message (PS3.7 6.3): a command set and, if there is one, a data set that comes
        in pieces of any size. It is sent as it comes, without being gathered."""
        head = self._pack(context, memoryview(command), is_command=True, is_last=True)
        if fragments is None:
            self.wire.send(head)
        else:
            self._send_data(context, head, fragments)

    def release(self) -> None:
        """Orderly release (PS3.8 7.2). On a collision the acceptor answers last (9.2.2, Sta9-Sta12):
        both sides may answer at once, for neither waits for the other before it does."""
        self.wire.send([pdu.release_rq()])
        deadline = clock.monotonic() + self._closing_timeout
        while True:
            received = self.wire.read(deadline=deadline)
            if received.kind is Kind.RELEASE_RP:
                break
            if received.kind is Kind.RELEASE_RQ:
                self.wire.send([pdu.release_rp()])
            else:
                self._take_data(received)  # data may still be under way (PS3.8 7.2.2)
                self._values.clear()
        self.wire.finish(self._closing_timeout)

    def abort(self, reason: AbortReason | None = None) -> None:
        """End it at once (PS3.8 7.3, 7.4). Never raises."""
        abort(self.wire, reason, self._closing_timeout)

    def cut(self) -> None:
        """Abort from another thread."""
        self.wire.cut(pdu.abort())

    def _send_data(
        self, context: Context, buffers: list[bytes | memoryview], fragments: Iterable[bytes | memoryview]
    ) -> None:
        waiting, begun = memoryview(b""), False
        try:
            for fragment in fragments:
                if waiting:
                    self.wire.send(buffers + self._pack(context, waiting, is_command=False, is_last=False))
                    buffers, begun = [], True
                waiting = memoryview(fragment)
        except AssociationEnded:
            raise
        except Exception as error:
            if not begun:
                raise
            # Half a data set is under way, and nothing else can follow on this association.
            self.abort()
            raise AssociationEnded("a data set broke off") from error
        self.wire.send(buffers + self._pack(context, waiting, is_command=False, is_last=True))

    def _take_data(self, received: Pdu) -> None:
        if received.kind is Kind.ABORT:
            self.wire.close()
            raise AssociationEnded("aborted by the peer")
        if received.kind is not Kind.P_DATA:
            raise ProtocolError(f"unexpected {received.kind.name}", AbortReason.UNEXPECTED_PDU)
        for value in pdu.values(received.body):
            if value.context_id not in self.contexts:
                raise ProtocolError(f"presentation context {value.context_id} was not accepted")
            self._values.append(value)

    def _pack(
        self, context: Context, data: memoryview, *, is_command: bool, is_last: bool
    ) -> list[bytes | memoryview]:
        return pdu.p_data(context.id, data, is_command=is_command, is_last=is_last, max_length=self._max_sent)


def abort(wire: Wire, reason: AbortReason | None, seconds: float) -> None:
    """Send A-ABORT, if that is still possible, and close. Never raises."""
    try:
        wire.set_timeout(min(seconds, 5.0))
        wire.send([pdu.abort(reason)])
    except AssociationEnded:
        wire.close()
        return
    wire.finish(min(seconds, 5.0))
