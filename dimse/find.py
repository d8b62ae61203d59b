"""C-FIND of the query/retrieve models (PS3.4 C.4.1): an identifier of keys, a stream of matches."""

from dataclasses import dataclass

from dimse import dataset, question, status, text
from dimse.channel import Channel, Request
from dimse.command import Operation
from dimse.contexts import MODELS
from dimse.identifier import AVAILABILITY, CHARACTER_SET, LEVEL, RETRIEVE_AET, VIEW, Identifier
from dimse.ports import Archive
from dimse.status import Status
from dimse.text import Repertoire
from pacs.auth.actor import Actor
from pacs.query import parse
from pacs.query.model import Match, Query


def handle(archive: Archive, actor: Actor, request: Request, channel: Channel) -> None:
    """Answer every match as it is found. Raises what the search raises."""
    peer = archive.config.dimse.peers.get(request.calling_aet)
    character_set = peer.character_set if peer else ""
    asked = question.read(request, channel, character_set)
    root = MODELS[Operation.C_FIND][request.context.abstract_syntax]
    level = question.level_of(asked, root)
    if isinstance(level, Status):
        channel.reply(level)
        return
    agreed = request.context.extended
    query = parse.from_keys(
        level,
        asked.keys(),
        returned=((AVAILABILITY,),),
        combined=agreed.combined_date_time,
        fuzzy=agreed.fuzzy,
    )
    written = text.only(character_set) if character_set else text.repertoire(asked.character_set)
    form = _Form(request.context.transfer_syntax, written, archive.config.dimse.aet)
    answers = _Answers(asked, query, form)
    for match in archive.search.stream(actor, query, channel.cancelled):
        if channel.cancelled():
            break
        channel.reply(answers.status, identifier=answers.encode(match))
    channel.reply(status.CANCEL if channel.cancelled() else status.SUCCESS)


@dataclass(frozen=True, slots=True)
class _Form:
    """How answers are written, and by whom."""

    transfer_syntax: str
    repertoire: Repertoire
    aet: str


class _Answers:
    """Response identifiers: every requested attribute, present or empty, and those of C.4.1.1.3.2."""

    def __init__(self, asked: Identifier, query: Query, form: _Form) -> None:
        # FF01 tells that keys were not matched on (PS3.4 Table C.4-1).
        self.status = status.PENDING_UNSUPPORTED_KEYS if query.warnings else status.PENDING
        self._form = form
        self._empty = {
            tag: {"vr": key.vr} for tag, key in asked.attributes.items() if tag not in {VIEW, CHARACTER_SET}
        }
        creators = {tag: {"vr": "LO", "Value": list(key.values)} for tag, key in asked.creators().items()}
        self._always = creators | {
            LEVEL: {"vr": "CS", "Value": [query.level.name]},
            RETRIEVE_AET: {"vr": "AE", "Value": [form.aet]},
        }

    def encode(self, match: Match) -> bytes:
        found = {int(tag, 16): element for tag, element in match.attributes.items()}
        kept = {tag: element for tag, element in found.items() if tag in self._empty or tag == AVAILABILITY}
        return dataset.encode(
            {**self._empty, **kept, **self._always}, self._form.transfer_syntax, self._form.repertoire
        )
