"""Objects for a station that has transfer syntaxes it would rather have."""

from collections.abc import Collection
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass

from dimse.ports import Chosen, Given, Retrieve
from pacs.auth.actor import Actor
from pacs.config import DimseConfig
from pacs.errors import NotAcceptable
from pacs.retrieve.negotiate import Abilities
from pacs.retrieve.selection import StoredObject, Wanted


@dataclass(frozen=True, slots=True)
class Preferring:
    """A `ports.Retrieve` that gives what is stored in one of `preferred` as it is, and everything else
    in the first of them that is accepted and possible; failing that, as if none were preferred."""

    retrieve: Retrieve
    preferred: tuple[str, ...]

    @property
    def abilities(self) -> Abilities:
        return self.retrieve.abilities

    def choose(self, actor: Actor, wanted: Wanted) -> Chosen:
        return self.retrieve.choose(actor, wanted)

    def give(self, stored: StoredObject, accepted: Collection[str]) -> AbstractContextManager[Given]:
        wished = [syntax for syntax in self.preferred if syntax in accepted]
        for syntax in sorted(wished, key=lambda syntax: syntax != stored.transfer_syntax):
            with suppress(NotAcceptable):
                return self.retrieve.give(stored, (syntax,))
        return self.retrieve.give(stored, accepted)


def for_station(retrieve: Retrieve, config: DimseConfig, aet: str) -> Retrieve:
    """What this station is given objects by."""
    peer = config.peers.get(aet)
    preferred = peer.send_transfer_syntaxes if peer else ()
    return Preferring(retrieve, preferred) if preferred else retrieve
