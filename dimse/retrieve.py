"""C-MOVE and C-GET (PS3.4 C.4.2, C.4.3): unique keys in, sub-operations out."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from dimse import calls, preferring, question, send, status
from dimse.channel import Channel, Courier, Item, Request
from dimse.command import Operation
from dimse.contexts import MODELS, Root
from dimse.identifier import Identifier
from dimse.mover import Mover
from dimse.ports import Archive, Chosen, Retrieve
from dimse.status import Status
from dimse.tally import Tally
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, allows
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.retrieve.selection import Wanted

_UNIQUE: Final = (
    tag_of("PatientID"),
    tag_of("StudyInstanceUID"),
    tag_of("SeriesInstanceUID"),
    tag_of("SOPInstanceUID"),
)


def handle_move(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Send what is wanted to a configured destination. Raises what choosing raises.

    The associations with the destination end with the request: many receivers take their end for the
    end of the study."""
    config = archive.config.dimse
    wanted = _wanted(
        question.read(request, channel), MODELS[Operation.C_MOVE][request.context.abstract_syntax]
    )
    peer = config.peers.get(request.command.move_destination)
    if isinstance(wanted, Status):
        channel.reply(wanted)
    elif peer is None:
        if not allows(actor, Action.READ, wanted.studies):
            archive.retrieve.choose(actor, wanted)  # which refuses, and writes it down
        channel.reply(status.DESTINATION_UNKNOWN)
    else:
        chosen = archive.retrieve.choose(actor, wanted)
        retrieve = preferring.for_station(archive.retrieve, config, peer.aet)
        tally = Tally(channel, chosen.count, config.pending_seconds)
        proposed = send.proposed((chosen,), archive.retrieve.abilities, peer.send_transfer_syntaxes)
        mover = Mover(calls.target(config, peer), proposed, (request.calling_aet, request.message_id))
        _deliver(retrieve, chosen, mover, tally, request)


def handle_get(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Send what is wanted over the same association. Raises what choosing raises."""
    wanted = _wanted(
        question.read(request, channel), MODELS[Operation.C_GET][request.context.abstract_syntax]
    )
    if isinstance(wanted, Status):
        channel.reply(wanted)
        return
    chosen = archive.retrieve.choose(actor, wanted)
    retrieve = preferring.for_station(archive.retrieve, archive.config.dimse, request.calling_aet)
    tally = Tally(channel, chosen.count, archive.config.dimse.pending_seconds)
    courier: Courier = _Quietly(channel.courier(), tally)
    _deliver(retrieve, chosen, nullcontext(courier), tally, request)


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


def _deliver(
    retrieve: Retrieve,
    chosen: Chosen,
    opened: AbstractContextManager[Courier],
    tally: Tally,
    request: Request,
) -> None:
    with tally.running(), opened as courier:
        for stored in chosen:
            if tally.cancelled():
                break
            tally.count(stored.key.instance, send.one(retrieve, stored, courier, tally.check))
    tally.finish(request.context.transfer_syntax)


class _Quietly:
    """Over one association nothing else can be said while a data set is under way (PS3.7 6.3.1)."""

    def __init__(self, courier: Courier, tally: Tally) -> None:
        self._courier = courier
        self._tally = tally

    def accepts(self, sop_class: str) -> frozenset[str]:
        return self._courier.accepts(sop_class)

    def store(self, item: Item, dataset: Iterable[bytes | memoryview]) -> Status:
        with self._tally.quiet():
            return self._courier.store(item, dataset)
