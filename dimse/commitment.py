"""Storage commitment, push model (PS3.4 J.3): the request, and its result on the same association."""

import uuid
from functools import partial
from typing import Final

from dimse import report, status
from dimse.channel import Channel, Line, Request
from dimse.command import Command
from dimse.ports import Archive
from dimse.references import read
from dimse.status import Status
from pacs import clock, log
from pacs.auth.actor import Actor
from pacs.errors import NotFound, PacsError

_REQUEST: Final = 1  # Action Type ID: request storage commitment (PS3.4 J.3.2)
_SAME: Final = "same"
_log = log.get(__name__)


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """N-ACTION. Raises what asking raises."""
    objection = _objection(request)
    if objection is not None:
        channel.reply(objection)
        return
    peer = archive.config.dimse.peers.get(actor.name)
    holder = uuid.uuid4().hex if peer is None or peer.commitment == _SAME else ""
    id_ = archive.commitments.ask(actor, read(request, channel), holder=holder)
    channel.reply(status.SUCCESS)
    if holder:
        channel.later(_Promise(archive, actor, id_, holder))


def _objection(request: Request) -> Status | None:
    if request.command.requested_sop_instance != report.INSTANCE:
        return status.NO_SUCH_SOP_INSTANCE
    return None if request.command.action_type == _REQUEST else status.NO_SUCH_ACTION


class _Promise:
    """A result that the association waits for; a `channel.Aside`."""

    def __init__(self, archive: Archive, actor: Actor, id_: int, holder: str) -> None:
        self._archive = archive
        self._actor = actor
        self._id = id_
        self._holder = holder
        self._until: float | None = None  # how long an answer is waited for, once it was said
        self._refused = False

    def look(self, line: Line) -> bool:
        if self._refused or (self._until is not None and clock.monotonic() > self._until):
            self.end()
            return False
        try:
            result = self._archive.commitments.result(self._actor, self._id, self._holder)
        except NotFound:
            return False  # it has been told
        if result is not None and self._until is None:
            self._until = clock.monotonic() + self._archive.config.dimse.call_timeout
            message = report.message(result, line.new_message_id())
            body = partial(report.body, result, self._archive.config.dimse.aet)
            line.ask(message, body, self._answered)
        return True

    def end(self) -> None:
        self._archive.commitments.let_go(self._actor, self._id, self._holder)

    def _answered(self, response: Command) -> None:
        if report.is_taken(response):
            try:
                self._archive.commitments.told(self._actor, self._id)
            except PacsError as error:  # then it is told once more
                _log.warning("not written down that it was told kind=%s", type(error).__name__)
            return
        # An association of its own may fare better: not every station expects it on this one.
        _log.info("result not taken on its association status=%04X", response.status or 0)
        self._refused = True
