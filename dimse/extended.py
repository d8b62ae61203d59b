"""SOP class extended negotiation of queries and retrievals (PS3.4 C.5), and of storage (B.3.1).

Both sides get from it what they agreed on: `Context.extended` of an accepted presentation context.
"""

from collections.abc import Collection, Iterable
from dataclasses import astuple, dataclass
from typing import Final

from dimse.command import Operation
from dimse.userinfo import Extension

# Level 2 (full): every element is kept; digital signatures are kept with it (3); nothing is coerced.
_STORAGE_ANSWER: Final = bytes((2, 0, 3, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """One byte each, in this order (PS3.4 C.5.1.1 for C-FIND; C.5.2.1 and C.5.3.1 have the first alone
    in common with it). `multi_frame` is the conversion of enhanced multi-frame images."""

    relational: bool = False
    combined_date_time: bool = False
    fuzzy: bool = False
    timezone: bool = False
    multi_frame: bool = False

    def __and__(self, other: "QueryOptions") -> "QueryOptions":
        return QueryOptions(*(a and b for a, b in zip(astuple(self), astuple(other), strict=True)))


NOTHING: Final = QueryOptions()

SUPPORTED: Final = {
    Operation.C_FIND: QueryOptions(relational=True, combined_date_time=True, fuzzy=True),
    Operation.C_MOVE: QueryOptions(relational=True),
    Operation.C_GET: QueryOptions(relational=True),
}
"""What is granted when it is asked for."""


def decode(info: bytes) -> QueryOptions:
    """Bytes that are missing ask for nothing, further ones are not known."""
    return QueryOptions(*(byte == 1 for byte in info[:5]))


def encode(options: QueryOptions, size: int = 5) -> bytes:
    return bytes(astuple(options))[: max(size, 1)]


def answer(asked: Extension, operations: Collection[Operation]) -> tuple[QueryOptions, Extension | None]:
    """What is agreed on, and what is said of it, of a class for these operations; nothing of one that
    has no such negotiation."""
    for operation in operations:
        if operation in SUPPORTED:
            agreed = decode(asked.info) & SUPPORTED[operation]
            return agreed, Extension(asked.sop_class, encode(agreed, len(asked.info)))
    if Operation.C_STORE in operations:
        return NOTHING, Extension(asked.sop_class, _STORAGE_ANSWER[: len(asked.info)])
    return NOTHING, None


def by_class(extended: Iterable[Extension]) -> dict[str, Extension]:
    """The first of each class."""
    found: dict[str, Extension] = {}
    for one in extended:
        found.setdefault(one.sop_class, one)
    return found
