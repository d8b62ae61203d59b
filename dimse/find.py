"""C-FIND of the query/retrieve models (PS3.4 C.4.1): an identifier of keys, a stream of matches."""

from dimse import dataset, question, status
from dimse.channel import Channel, Request
from dimse.command import Operation
from dimse.contexts import MODELS
from dimse.identifier import AVAILABILITY, CHARACTER_SET, LEVEL, RETRIEVE_AET, VIEW, Identifier
from dimse.ports import Archive
from dimse.status import Status
from dimse.text import Repertoire, repertoire
from pacs.auth.actor import Actor
from pacs.query import parse
from pacs.query.model import Match, Query


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Answer every match as it is found. Raises what the search raises."""
    asked = question.read(request, channel)
    root = MODELS[Operation.C_FIND][request.context.abstract_syntax]
    level = question.level_of(asked, root)
    if isinstance(level, Status):
        channel.reply(level)
        return
    combined = request.context.extended.combined_date_time
    query = parse.from_keys(level, asked.keys(), combined=combined)
    answers = _Answers(asked, query, request.context.transfer_syntax, archive.config.dimse.aet)
    for match in archive.search.stream(actor, query):
        if channel.cancelled():
            channel.reply(status.CANCEL)
            return
        channel.reply(answers.status, identifier=answers.encode(match))
    channel.reply(status.SUCCESS)


class _Answers:
    """Response identifiers: every requested attribute, present or empty, and those of C.4.1.1.3.2."""

    def __init__(self, asked: Identifier, query: Query, transfer_syntax: str, aet: str) -> None:
        # FF01 tells that keys were not matched on (PS3.4 Table C.4-1).
        self.status = status.PENDING_UNSUPPORTED_KEYS if query.warnings else status.PENDING
        self._transfer_syntax = transfer_syntax
        self._repertoire: Repertoire = repertoire(asked.character_set)
        self._empty = {
            tag: {"vr": key.vr} for tag, key in asked.attributes.items() if tag not in {VIEW, CHARACTER_SET}
        }
        creators = {tag: {"vr": "LO", "Value": list(key.values)} for tag, key in asked.creators().items()}
        self._always = creators | {
            LEVEL: {"vr": "CS", "Value": [query.level.name]},
            RETRIEVE_AET: {"vr": "AE", "Value": [aet]},
            AVAILABILITY: {"vr": "CS", "Value": ["ONLINE"]},
        }

    def encode(self, match: Match) -> bytes:
        found = {int(tag, 16): element for tag, element in match.attributes.items()}
        kept = {tag: element for tag, element in found.items() if tag in self._empty}
        return dataset.encode(
            {**self._empty, **kept, **self._always}, self._transfer_syntax, self._repertoire
        )
