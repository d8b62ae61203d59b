"""C-FIND of the modality worklist (PS3.4 K.4.1): keys of one level, an item for each scheduled step."""

from collections.abc import Mapping
from typing import Any

from dimse import dataset, question, status, text
from dimse.channel import Channel, Request
from dimse.identifier import CHARACTER_SET, Identifier
from dimse.ports import Archive
from dimse.text import Repertoire
from pacs.auth.actor import Actor
from pacs.orders import schedule


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Answer every item as it is found, by its start. Raises what the search raises."""
    peer = archive.config.dimse.peers.get(request.calling_aet)
    character_set = peer.character_set if peer else ""
    asked = question.read(request, channel, character_set)
    wanted = schedule.ask(asked.keys())
    # FF01 tells that keys were not matched on (PS3.4 Table K.4-1).
    pending = status.PENDING_UNSUPPORTED_KEYS if wanted.warnings else status.PENDING
    written = text.only(character_set) if character_set else text.repertoire(asked.character_set)
    answers = _Answers(asked, request.context.transfer_syntax, written)
    for item in archive.schedule.stream(actor, wanted, channel.cancelled):
        if channel.cancelled():
            break
        channel.reply(pending, identifier=answers.encode(item))
    channel.reply(status.CANCEL if channel.cancelled() else status.SUCCESS)


class _Answers:
    """Response identifiers: every requested attribute, present or empty, and no other (K.4.1.1.3.2)."""

    def __init__(self, asked: Identifier, transfer_syntax: str, written: Repertoire) -> None:
        self._transfer_syntax = transfer_syntax
        self._repertoire = written
        self._empty = {tag: {"vr": key.vr} for tag, key in asked.attributes.items() if tag != CHARACTER_SET}
        self._creators = {
            tag: {"vr": "LO", "Value": list(key.values)} for tag, key in asked.creators().items()
        }

    def encode(self, item: Mapping[str, Any]) -> bytes:
        found = {int(tag, 16): element for tag, element in item.items()}
        return dataset.encode(
            {**self._empty, **found, **self._creators}, self._transfer_syntax, self._repertoire
        )
