"""What C-FIND, C-MOVE and C-GET share: the identifier as it arrives, and its level (PS3.4 C.4, C.6)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from dimse import identifier, status
from dimse.channel import Channel, Request
from dimse.contexts import Root
from dimse.identifier import LEVEL, Identifier
from dimse.status import Status
from pacs.dicom.level import Level
from pacs.errors import Invalid

_LEVELS: Final[Mapping[str, Level]] = MappingProxyType({level.name: level for level in Level})


def read(request: Request, channel: Channel, character_set: str = "") -> Identifier:
    """`character_set` is that of a caller which does not say. Raises Invalid for what is no data set or
    larger than any identifier needs to be."""
    undeclared = tuple(character_set.split("\\")) if character_set else ()
    return identifier.decode(gather(channel), request.context.transfer_syntax, undeclared)


def gather(channel: Channel) -> bytes:
    """A data set that fits into memory. Raises Invalid for one that is larger than any needs to be."""
    gathered = bytearray()
    for fragment in channel.fragments():
        gathered += fragment
        if len(gathered) > identifier.MAX_SIZE:
            raise Invalid("the data set is too large")
    return bytes(gathered)


def level_of(asked: Identifier, root: Root) -> Level | Status:
    """Query/Retrieve Level (PS3.4 C.6.1, C.6.2); a study root model has no patients of its own."""
    named = asked.text(LEVEL)
    level = _LEVELS.get(named[0]) if len(named) == 1 else None
    if level is None:
        return status.mismatch("QueryRetrieveLevel is not one of PATIENT STUDY SERIES IMAGE")
    if level is Level.PATIENT and root is Root.STUDY:
        return status.mismatch("a study root model has no PATIENT level")
    return level
