"""Calling a configured station: an association of our own, and what went wrong in words."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from dimse import requestor, scu, status
from dimse.associate import Role
from dimse.command import Command
from dimse.contexts import VERIFICATION, Context
from dimse.dialogue import Dialogue
from dimse.errors import AssociationEnded, ProtocolError, Rejected
from dimse.requestor import Target
from pacs import clock, log
from pacs.config import Config, DimseConfig, Peer
from pacs.dicom import uids
from pacs.errors import Conflict, Forbidden, NotFound, Unavailable

PLAIN: Final = (uids.EXPLICIT_LE, uids.IMPLICIT_LE)
"""What a message that is no object goes in."""

Wanted = Iterable[tuple[str, tuple[str, ...]]]
Fragments = Iterable[bytes | memoryview]
_log = log.get(__name__)


def target(config: DimseConfig, peer: Peer) -> Target:
    return Target(
        peer.host,
        peer.port,
        peer.aet,
        config.aet,
        config.max_pdu,
        acse_timeout=config.acse_timeout,
        idle_timeout=config.call_timeout,
        tls=config.tls if peer.tls else None,
    )


def target_of(config: DimseConfig, aet: str) -> Target:
    """Raises NotFound for a station that is not configured."""
    peer = config.peers.get(aet)
    if peer is None:
        raise NotFound(f"no station {aet} is configured", hint=f"give its host and port: [dimse.peers.{aet}]")
    return target(config, peer)


class Call:
    """One association with a station; one request at a time, from one thread."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue

    @classmethod
    @contextmanager
    def open(cls, called: Target, wanted: Wanted, roles: tuple[Role, ...] = ()) -> Iterator["Call"]:
        """Associate, for (SOP class, transfer syntaxes) pairs, and release at the end.

        Raises Forbidden when the station rejects us, Unavailable when it does not answer or breaks off,
        also from inside the block."""
        association = None
        try:
            association = requestor.request(called, requestor.proposals(wanted), roles)
            yield cls(Dialogue(association))
            association.release()
        except Rejected as error:
            raise Forbidden(f"{called.called_aet} refuses us: {error}") from error
        except (AssociationEnded, ProtocolError) as error:
            if association is not None:
                association.abort()
            raise Unavailable(
                f"{called.called_aet} at {called.host}:{called.port}: {error}",
                hint="is it running, and reachable from here?",
            ) from error
        except BaseException:
            if association is not None:
                association.abort()
            raise

    def new_message_id(self) -> int:
        return self.dialogue.new_message_id()

    def context(self, sop_class: str) -> Context:
        """Raises Conflict when the station does not accept the class."""
        accepted = self.dialogue.association.contexts.values()
        context = next((one for one in accepted if one.abstract_syntax == sop_class), None)
        if context is None:
            called = self.dialogue.association.parties.called_aet
            raise Conflict(f"{called} does not accept the SOP class {sop_class}")
        return context

    def request(self, message: Command, dataset: Callable[[str], Fragments]) -> Command:
        """One request and its response; `dataset` is asked for in the transfer syntax accepted."""
        context = self.context(message.requested_sop_class or message.sop_class)
        return scu.ask(self.dialogue, context, message, dataset(context.transfer_syntax))


@dataclass(frozen=True, slots=True)
class Echoed:
    """How long it took to associate and to echo; `status` is 0 for success."""

    associated_s: float
    echoed_s: float
    status: int


def echo(config: Config, aet: str) -> Echoed:
    """C-ECHO to a configured station. Raises NotFound, Forbidden, Conflict, Unavailable."""
    called = target_of(config.dimse, aet)
    begun = clock.monotonic()
    with Call.open(called, ((VERIFICATION, (uids.IMPLICIT_LE,)),)) as line:
        associated = clock.monotonic()
        line.context(VERIFICATION)
        answer = scu.echo(line.dialogue)
        return Echoed(associated - begun, clock.monotonic() - associated, answer.code)


def refused(aet: str, answer: status.Status) -> Conflict:
    """A station answered a request of ours with a failure."""
    said = status.comment(answer)
    return Conflict(f"{aet} answers {answer.code:04X}{': ' + said if said else ''}")
