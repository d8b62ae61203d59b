"""A station that has enough of the answers to its C-FIND."""

from typing import Final

from dimse.command import Command, Operation
from tests.unit.dimse.fakes import Peer

MESSAGE_ID: Final = 7
CANCELLED: Final = 0xFE00


def cancel(peer: Peer) -> None:
    peer.request(1, Command(Operation.C_CANCEL, responded_to=MESSAGE_ID))


def final(peer: Peer) -> tuple[int | None, int]:
    """The last status, and how many matches came before it."""
    matches = 0
    while True:
        answer, _ = peer.message()
        assert answer.responded_to == MESSAGE_ID
        if answer.status not in {0xFF00, 0xFF01}:
            return answer.status, matches
        matches += 1
