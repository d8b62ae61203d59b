"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): unique keys in, sub-operations out."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import Final

from dimse import dataset, preferring, question, status
from dimse.channel import Channel, Counts, Courier, Item, Request
from dimse.command import Operation
from dimse.contexts import MODELS, Root
from dimse.identifier import Identifier
from dimse.mover import Mover
from dimse.ports import Archive, Chosen, Retrieve
from dimse.requestor import Target
from dimse.status import Status
from pacs import clock, log
from pacs.auth.actor import Actor
from pacs.config import DimseConfig, Peer
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.errors import NotAcceptable, PacsError
from pacs.retrieve import negotiate
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject, Wanted

_FAILED_LIST: Final = tag_of("FailedSOPInstanceUIDList")
_UNIQUE: Final = (
    tag_of("PatientID"),
    tag_of("StudyInstanceUID"),
    tag_of("SeriesInstanceUID"),
    tag_of("SOPInstanceUID"),
)
_HEARTBEAT: Final = 5.0  # seconds; requestors give up after about thirty without a pending response
_log = log.get(__name__)

Tick = Callable[[], None]


def handle_move(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Send what is wanted to a configured destination. Raises what choosing raises."""
    config = archive.config.dimse
    wanted = _wanted(
        question.read(request, channel), MODELS[Operation.C_MOVE][request.context.abstract_syntax]
    )
    peer = config.peers.get(request.command.move_destination)
    if isinstance(wanted, Status):
        channel.reply(wanted)
    elif peer is None:
        channel.reply(status.DESTINATION_UNKNOWN)
    else:
        chosen = archive.retrieve.choose(actor, wanted)
        retrieve = preferring.for_station(archive.retrieve, config, peer.aet)
        tally = _Tally(channel, chosen.count)
        originator = (request.calling_aet, request.message_id)
        proposed = _proposed(chosen, archive.retrieve.abilities, peer.send_transfer_syntaxes)
        mover = Mover(_target(config, peer), proposed, originator, tally.heartbeat)
        _deliver(retrieve, chosen, mover, _News(tally, sending=tally.heartbeat), request)


def handle_get(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Send what is wanted over the same association. Raises what choosing raises."""
    wanted = _wanted(
        question.read(request, channel), MODELS[Operation.C_GET][request.context.abstract_syntax]
    )
    if isinstance(wanted, Status):
        channel.reply(wanted)
        return
    chosen = archive.retrieve.choose(actor, wanted)
    # Nothing else can be said on the association while a data set is under way on it (PS3.7 6.3.1).
    news = _News(_Tally(channel, chosen.count), sending=_silent)
    retrieve = preferring.for_station(archive.retrieve, archive.config.dimse, request.calling_aet)
    _deliver(retrieve, chosen, nullcontext(channel.courier()), news, request)


def _wanted(asked: Identifier, root: Root) -> Wanted | Status:
    """The unique keys of the identifier (C.4.2.2.1). Those of the levels above are used where they
    are given; asking for a series or an instance by its own UID alone is admitted."""
    level = question.level_of(asked, root)
    if isinstance(level, Status):
        return level
    keys = [asked.text(tag) if level >= depth else () for depth, tag in enumerate(_UNIQUE)]
    if not keys[level]:
        return status.mismatch(f"the unique key of the {level.name} level is missing")
    if any("*" in value or "?" in value for key in keys[Level.STUDY :] for value in key):
        return status.mismatch("unique keys are UIDs without wild cards")
    if level is not Level.PATIENT and root is Root.STUDY:
        keys[Level.PATIENT] = ()  # not a unique key of this model (C.6.2.1)
    return Wanted(*keys)


def _target(config: DimseConfig, peer: Peer) -> Target:
    return Target(
        peer.host,
        peer.port,
        peer.aet,
        config.aet,
        config.max_pdu,
        acse_timeout=config.acse_timeout,
        idle_timeout=config.idle_timeout,
        tls=config.tls if peer.tls else None,
    )


def _proposed(
    chosen: Chosen, able: Abilities, preferred: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Presentation contexts by SOP class."""
    stored: dict[str, list[str]] = {}
    for sop_class, syntax in chosen.contexts:
        stored.setdefault(sop_class, []).append(syntax)
    return {
        sop_class: negotiate.proposals(syntaxes, able, preferred) for sop_class, syntaxes in stored.items()
    }


def _deliver(
    retrieve: Retrieve,
    chosen: Chosen,
    opened: AbstractContextManager[Courier],
    news: "_News",
    request: Request,
) -> None:
    tally = news.tally
    with opened as courier:
        for stored in chosen:
            if tally.cancelled():
                break
            tally.count(stored.key.instance, _send(retrieve, stored, courier, news))
            tally.pending()
    tally.finish(request.context.transfer_syntax)


def _send(retrieve: Retrieve, stored: StoredObject, courier: Courier, news: "_News") -> Status:
    """One sub-operation. An object that fails does not keep the others from going."""
    accepted = courier.accepts(stored.sop_class)
    if accepted is None:
        return status.NOT_SENT
    try:
        with retrieve.give(stored, accepted) as given:
            item = Item(stored.sop_class, stored.key.instance, given.transfer_syntax)
            chunks = _ticking(given.dataset(news.tally.heartbeat), news.sending)
            first = next(chunks, b"")  # what cannot be read fails before anything of it is sent
            return courier.store(item, chain((first,), chunks))
    except NotAcceptable as error:
        _log.warning("sub-operation failed from=%s reason=%s", stored.transfer_syntax, error)
        return status.not_converted(error)
    except PacsError as error:
        _log.warning("sub-operation failed kind=%s", type(error).__name__)
        return Status(status.NOT_READ.code, str(error))


def _ticking(chunks: Iterator[bytes], tick: Tick) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        tick()


def _silent() -> None:
    """Says nothing."""


class _Tally:
    """Counts sub-operations and tells the requestor (C.4.2.1.6 to 9, C.4.2.3.1)."""

    def __init__(self, channel: Channel, total: int) -> None:
        self._channel = channel
        self._remaining = total
        self._completed = self._failed = self._warning = 0
        self._failures: list[str] = []
        self._reason = ""  # of the first failure
        self._told = clock.monotonic()
        self._cancelled = False

    def cancelled(self) -> bool:
        self._cancelled = self._cancelled or self._channel.cancelled()
        return self._cancelled

    def count(self, sop_instance: str, outcome: Status) -> None:
        self._remaining = max(self._remaining - 1, 0)
        if outcome.is_success:
            self._completed += 1
        elif outcome.is_warning:
            self._warning += 1
        else:
            self._failed += 1
            self._failures.append(sop_instance)
            self._reason = self._reason or outcome.comment

    def pending(self) -> None:
        self._channel.reply(status.PENDING, counts=self._counts(with_remaining=True))
        self._told = clock.monotonic()

    def heartbeat(self) -> None:
        """Called often while a sub-operation takes its time."""
        if clock.monotonic() - self._told >= _HEARTBEAT:
            self.pending()

    def finish(self, transfer_syntax: str) -> None:
        outcome = self._outcome()
        listed = {_FAILED_LIST: {"vr": "UI", "Value": self._failures}}
        self._channel.reply(
            outcome,
            identifier=dataset.encode(listed, transfer_syntax) if self._failures else None,
            counts=self._counts(with_remaining=self._cancelled),
        )

    def _outcome(self) -> Status:
        if self._cancelled:
            return status.CANCEL
        if not self._failed and not self._warning:
            return status.SUCCESS
        none = not self._completed and not self._warning
        return status.because(status.ALL_FAILED if none else status.SOME_FAILED, self._reason)

    def _counts(self, *, with_remaining: bool) -> Counts:
        remaining = self._remaining if with_remaining else None
        return Counts(remaining, self._completed, self._failed, self._warning)


@dataclass(frozen=True, slots=True)
class _News:
    """Whom to tell of progress; `sending` is called between the pieces of a data set."""

    tally: _Tally
    sending: Tick
