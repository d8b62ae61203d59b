"""The bar of commands that take one object after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pacs.cli.common import err


class Advance(Protocol):
    def __call__(self, size: int = 1, /) -> None:
        """One more is done; `size` in bytes, where the bar counts bytes."""


@contextmanager
def progress(noun: str, number: int, size: int | None = None) -> Iterator[Advance]:
    """A bar for `number` of something, by their `size` in bytes where that is known. Only a terminal
    sees it."""
    in_bytes: tuple[ProgressColumn, ...] = (DownloadColumn(), TransferSpeedColumn()) if size else ()
    parts = (TextColumn(f"{{task.fields[done]}}/{number} {noun}"), BarColumn(), *in_bytes)
    with Progress(
        *parts, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as bar:
        task = bar.add_task("", total=number if size is None else size, done=0)

        def advance(step: int = 1, /) -> None:
            bar.update(task, advance=step, done=bar.tasks[0].fields["done"] + 1)

        yield advance
