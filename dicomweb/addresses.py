"""Which of many paths an address is: fixed words before named pieces, and these before all the rest.

What is looked for costs the pieces of the address, however many paths there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_REST: Final = ":path}"


@dataclass(frozen=True, slots=True)
class _End(Generic[T]):
    names: tuple[str, ...]
    value: T


@dataclass(slots=True)
class _Node(Generic[T]):
    fixed: "dict[str, _Node[T]]" = field(default_factory=dict)
    named: "_Node[T] | None" = None
    end: _End[T] | None = None
    rest: _End[T] | None = None


class Addresses(Generic[T]):
    """Paths like `/studies/{study}/metadata` and what each stands for. `{study}` is one piece and not
    empty; `{path:path}`, at the end only, is all that follows."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()

    def add(self, path: str, value: T) -> None:
        """Raises ValueError for a path that is there already."""
        node: _Node[T] = self._root
        names: list[str] = []
        pieces = path.split("/")
        for piece in pieces:
            if piece.endswith(_REST):
                _check(node.rest is None and piece is pieces[-1], path)
                node.rest = _End((*names, piece[1 : -len(_REST)]), value)
                return
            if piece.startswith("{"):
                names.append(piece[1:-1])
                node.named = node.named or _Node()
                node = node.named
            else:
                node = node.fixed.setdefault(piece, _Node())
        _check(node.end is None, path)
        node.end = _End(tuple(names), value)

    def find(self, path: str) -> tuple[T, dict[str, str]] | None:
        """What the path stands for, and its named pieces."""
        pieces = path.split("/")
        for end, values in _ends(self._root, pieces, 0, ()):
            return end.value, dict(zip(end.names, values, strict=True))
        return None


def _ends(
    node: _Node[T], pieces: Sequence[str], at: int, values: tuple[str, ...]
) -> Iterator[tuple[_End[T], tuple[str, ...]]]:
    """All that fit, the best first."""
    if at == len(pieces):
        if node.end is not None:
            yield node.end, values
        return
    piece = pieces[at]
    if (fixed := node.fixed.get(piece)) is not None:
        yield from _ends(fixed, pieces, at + 1, values)
    if node.named is not None and piece:
        yield from _ends(node.named, pieces, at + 1, (*values, piece))
    if node.rest is not None:
        yield node.rest, (*values, "/".join(pieces[at:]))


def _check(fits: bool, path: str) -> None:  # noqa: FBT001 - a statement
    if not fits:
        raise ValueError(f"the path {path} is there already, or goes on after all the rest")
