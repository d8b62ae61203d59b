"""C-STORE (PS3.4 B, PS3.7 9.1.1): from the wire to the receipt."""

from dimse import status
from dimse.channel import Channel, Request
from dimse.ports import Archive
from dimse.status import Status
from pacs.auth.actor import Actor
from pacs.dicom import uids
from pacs.dicom.header import part10_prefix
from pacs.ingest.examine import Expected


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Spool the data set as it comes and answer with what became of it.

    Raises Forbidden and Unavailable; the association goes on after either."""
    channel.reply(_objection(request) or _keep(archive, actor, request, channel))


def _objection(request: Request) -> Status | None:
    """What can be seen before the data set."""
    if not uids.is_valid(request.command.sop_instance):
        return status.INVALID_SOP_INSTANCE
    if request.command.sop_class != request.context.abstract_syntax:
        return status.NOT_NEGOTIATED
    return None


def _keep(archive: Archive, actor: Actor, request: Request, channel: Channel) -> Status:
    sop_class, sop_instance = request.command.sop_class, request.command.sop_instance
    prefix = part10_prefix(
        sop_class=sop_class,
        sop_instance=sop_instance,
        transfer_syntax=request.context.transfer_syntax,
        source_aet=request.calling_aet,
        receiving_aet=request.called_aet,
    )
    with archive.ingest.spool(actor) as spooled:
        spooled.begin(prefix)
        for fragment in channel.fragments():
            spooled.write(fragment)
        receipt = archive.ingest.accept(
            actor, spooled, Expected(sop_class=sop_class, sop_instance=sop_instance)
        )
    return status.of_receipt(receipt)
