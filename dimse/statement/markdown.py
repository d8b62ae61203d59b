"""Markdown in pieces."""

from collections.abc import Iterable, Iterator, Sequence

Lines = Iterator[str]


def heading(level: int, text: str) -> Lines:
    yield from ("#" * level + " " + text, "")


def paragraph(*sentences: str) -> Lines:
    yield from (" ".join(sentences), "")


def bullets(items: Iterable[str]) -> Lines:
    yield from (f"- {item}" for item in items)
    yield ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Lines:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
