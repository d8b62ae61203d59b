"""Stored objects to a station by C-STORE: for C-MOVE, for C-GET and of our own accord."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from dimse import calls, preferring, status
from dimse.channel import Courier, Item
from dimse.errors import Unreached
from dimse.mover import Mover
from dimse.ports import Chosen, Retrieve
from dimse.status import Status
from pacs import log
from pacs.config import DimseConfig
from pacs.errors import NotAcceptable, PacsError
from pacs.retrieve import negotiate
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one object."""

    stored: StoredObject
    status: Status


def deliver(retrieve: Retrieve, config: DimseConfig, aet: str, chosen: Sequence[Chosen]) -> Iterator[Sent]:
    """Send what was chosen to a configured station, one object after the other; each in the transfer
    syntax it is stored in wherever the station takes it. Raises NotFound for a station that is not
    configured; what cannot be sent fails alone."""
    target = calls.target_of(config, aet)
    wished = config.peers[aet].send_transfer_syntaxes
    with Mover(target, proposed(chosen, retrieve.abilities, wished)) as courier:
        for stored in chain.from_iterable(chosen):
            given = preferring.for_station(retrieve, config, aet)
            yield Sent(stored, one(given, stored, courier, _nothing))


def proposed(
    chosen: Iterable[Chosen], able: Abilities, preferred: tuple[str, ...]
) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Presentation contexts by SOP class; `preferred` are transfer syntaxes that the station would rather
    have."""
    stored: dict[str, list[str]] = {}
    for sop_class, syntax in dict.fromkeys(pair for part in chosen for pair in part.contexts):
        stored.setdefault(sop_class, []).append(syntax)
    return {
        sop_class: negotiate.proposals(syntaxes, able, preferred) for sop_class, syntaxes in stored.items()
    }


def one(retrieve: Retrieve, stored: StoredObject, courier: Courier, working: Callable[[], None]) -> Status:
    """One object. What fails does not keep the others from going; `working` is called now and then
    while it is converted. Raises AssociationEnded where the courier does."""
    try:
        accepted = courier.accepts(stored.sop_class)
        with retrieve.give(stored, accepted) as given:
            item = Item(stored.sop_class, stored.key.instance, given.transfer_syntax)
            chunks = given.dataset(working)
            first = next(chunks, b"")  # what cannot be read fails before anything of it is sent
            return courier.store(item, chain((first,), chunks))
    except Unreached as error:
        return Status(status.NOT_SENT.code, str(error))
    except NotAcceptable as error:
        _log.warning("sub-operation failed from=%s reason=%s", stored.transfer_syntax, error)
        return status.not_converted(error)
    except PacsError as error:
        _log.warning("sub-operation failed kind=%s", type(error).__name__)
        return Status(status.NOT_READ.code, str(error))


def _nothing() -> None:
    """Nobody waits to hear of it."""
