"""C-ECHO (PS3.4 A, PS3.7 9.1.5)."""

from dimse.channel import Channel, Request
from dimse.ports import Archive
from dimse.status import SUCCESS
from pacs.auth.actor import Actor
from pacs.auth.policy import Action, require


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:  # noqa: ARG001 - a handler
    """Raises Forbidden."""
    require(actor, Action.ECHO)
    channel.reply(SUCCESS)
