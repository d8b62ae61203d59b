"""`pacs check`: does the index say what the store holds, and the other way round."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Final, Protocol

import typer
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pacs import log
from pacs.cli.common import (
    DIFFERENCE,
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    effective,
    err,
    out,
    print_json,
)

_LISTED: Final = 200


class Finding(Protocol):
    """One difference."""

    @property
    def kind(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def detail(self) -> str: ...


class Kept(Protocol):
    """Objects kept in less space than they were received in."""

    @property
    def objects(self) -> int: ...
    @property
    def received_bytes(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def left(self) -> Mapping[str, int]: ...


def check(
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First make the index anew from the stored objects.")
    ] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="Compare names and sizes only, do not read every object.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the index with the stored objects, both ways. Exit code 1 when they differ.

    Every object is read and its digest compared, unless --fast is said. The archive may be running.
    --rebuild needs nothing but the stored objects; stop the archive for it.
    """
    from pacs.runtime import open_archive

    log.setup("WARNING", role="check")
    archive = open_archive(effective(config, data))
    rebuilt = None
    try:
        if rebuild:
            with _counter("objects indexed") as count:
                rebuilt = archive.rebuild(count)
        with _counter("differences") as count:
            findings = list(_counted(archive.checker.check(deep=not fast), count))
        kept = archive.recompressor.totals()
    finally:
        archive.close()
    _report(findings, rebuilt, kept, as_json=as_json)
    if findings:
        raise typer.Exit(DIFFERENCE)


class _Count(Protocol):
    def __call__(self, done: int, /) -> None: ...


@contextmanager
def _counter(what: str) -> Iterator[_Count]:
    parts = (
        SpinnerColumn(),
        TextColumn("{task.completed} {task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*parts, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done: progress.update(task, completed=done)


def _counted(findings: Iterator[Finding], count: _Count) -> Iterator[Finding]:
    for number, finding in enumerate(findings, 1):
        count(number)
        yield finding


def _report(findings: list[Finding], rebuilt: int | None, kept: Kept, *, as_json: bool) -> None:
    counts = dict(sorted(Counter(str(finding.kind) for finding in findings).items()))
    if as_json:
        told = [{"kind": str(f.kind), "where": str(f.where), "detail": str(f.detail)} for f in findings]
        recompressed = {"objects": kept.objects, "received_bytes": kept.received_bytes, "bytes": kept.bytes}
        print_json(
            {
                "clean": not findings,
                "rebuilt": rebuilt,
                "recompressed": recompressed | {"left": dict(kept.left)},
                "counts": counts,
                "findings": told,
            }
        )
        return
    if rebuilt is not None:
        out.print(f"index made anew from {rebuilt} stored objects")
    if kept.objects or kept.left:
        out.print(
            f"{kept.objects} objects are recompressed ({decimal(kept.received_bytes)} became "
            f"{decimal(kept.bytes)}), {sum(kept.left.values())} stay as received"
        )
    if not findings:
        out.print("index and store agree", style="green")
        return
    listed = [(str(f.kind), str(f.where), str(f.detail)) for f in findings[:_LISTED]]
    out.print(columns(("difference", "where", "detail"), listed))
    if len(findings) > _LISTED:
        out.print(f"... and {len(findings) - _LISTED} more; --json lists all of them")
    summary = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    out.print(f"index and store differ: {summary}", style="bold red")
