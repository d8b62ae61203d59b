"""N-CREATE and N-SET of Modality Performed Procedure Step (PS3.4 F.7, PS3.7 10.1.5 and 10.1.3)."""

from dimse import question, status
from dimse.channel import Channel, Request
from dimse.contexts import PERFORMED_STEP
from dimse.ports import Archive
from dimse.status import Status
from pacs.auth.actor import Actor
from pacs.dicom import uids
from pacs.orders import item
from pacs.orders.model import DataSet, Declined, Taken


def handle_create(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Raises Forbidden, Invalid and Unavailable."""
    named, uid = request.command.sop_class, request.command.sop_instance
    objection = _objection(named, uid)
    if objection is None:
        told = _dataset(request, channel)
        objection = _answer(archive.performing.create(actor, uid, told))
    channel.reply(objection)


def handle_set(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Raises Forbidden, Invalid and Unavailable."""
    named, uid = request.command.requested_sop_class, request.command.requested_sop_instance
    objection = _objection(named, uid)
    if objection is None:
        told = _dataset(request, channel)
        objection = _answer(archive.performing.set(actor, uid, told))
    channel.reply(objection)


def _objection(sop_class: str, uid: str) -> Status | None:
    """What can be seen before the data set. The SCU names its step (PS3.4 F.7.2.1.2)."""
    if sop_class != PERFORMED_STEP:
        return status.NOT_NEGOTIATED
    return None if uids.is_valid(uid) else status.INVALID_SOP_INSTANCE


def _dataset(request: Request, channel: Channel) -> DataSet:
    return item.decode(question.gather(channel), request.context.transfer_syntax)


def _answer(outcome: Taken | Declined) -> Status:
    if isinstance(outcome, Declined):
        return status.of_declined(outcome)
    return status.kept(outcome.kept) if outcome.kept else status.SUCCESS
