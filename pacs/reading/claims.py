"""What a reader may do with an item: from the item as it is to the item as it will be. Pure.

Each raises Conflict when the item is in a state, or in hands, that do not allow it.
"""

from dataclasses import replace

from pacs.errors import Conflict
from pacs.reading.model import State, WorkItem


def claim(item: WorkItem, who: str, until_ns: int) -> WorkItem:
    """Claiming again what one holds prolongs it."""
    if item.state is State.DONE:
        raise Conflict("this study has been read", hint="reopen it if it is to be read again")
    _mine_or_free(item, who)
    return replace(item, state=State.CLAIMED, holder=who, held_until_ns=until_ns)


def release(item: WorkItem, who: str) -> WorkItem:
    """Releasing what nobody holds changes nothing."""
    _mine_or_free(item, who)
    if item.state is not State.CLAIMED:
        return item
    return replace(item, state=State.WAITING, holder="", held_until_ns=0)


def finish(item: WorkItem, who: str, now_ns: int) -> WorkItem:
    """Also without a claim, as when it ran out while the reader was still at work."""
    if item.state is State.DONE:
        if item.done_by != who:
            raise Conflict(f"{item.done_by} has read this study already")
        return item
    _mine_or_free(item, who)
    return replace(item, state=State.DONE, holder="", held_until_ns=0, done_by=who, done_ns=now_ns)


def reopen(item: WorkItem) -> WorkItem:
    """Finished by mistake: it waits again, and has waited all the time."""
    if item.state is not State.DONE:
        return item
    return replace(item, state=State.WAITING, done_by="", done_ns=0)


def more_arrived(item: WorkItem, generation: int, now_ns: int) -> WorkItem:
    """A study that was read waits anew; one that still waits keeps the time it has waited."""
    if generation <= item.generation:
        return item
    if item.state is State.DONE:
        item = replace(reopen(item), waiting_since_ns=now_ns)
    return replace(item, generation=generation)


def _mine_or_free(item: WorkItem, who: str) -> None:
    if item.state is State.CLAIMED and item.holder != who:
        raise Conflict(f"{item.holder} is reading this study", hint="wait until it is released")
