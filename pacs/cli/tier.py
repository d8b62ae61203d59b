"""`pacs tier`: where studies lie, where they belong, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pacs import log
from pacs.cli.common import (
    DIFFERENCE,
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    effective,
    out,
    print_json,
)
from pacs.errors import Invalid

if TYPE_CHECKING:
    from tiering.service import Tiering

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many steps.")]

app = typer.Typer(help="Move studies between the hot disk and the cold tier.", no_args_is_help=True)


@app.command("plan")
def plan(
    config: ConfigOption = None, data: DataOption = None, limit: Limit = 100, *, as_json: JsonOption = False
) -> None:
    """Show what would move, and why. Nothing is moved.

    The rules are the [[tier.rules]] tables of the configuration; the first that applies decides.
    """
    with _opened(config, data) as tiering:
        steps = tiering.plan(limit=limit)
    told = [
        {
            "act": step.act.name.lower(),
            "study": step.study,
            "bytes": step.bytes,
            "why": step.reason,
            "not_before": _moment(step.not_before_ns),
        }
        for step in steps
    ]
    if as_json:
        print_json(told)
    elif not steps:
        out.print("everything lies where it belongs")
    else:
        rows = [
            (
                str(one["act"]),
                str(one["study"]),
                size(step.bytes),
                str(one["why"]),
                str(one["not_before"] or "now"),
            )
            for one, step in zip(told, steps, strict=True)
        ]
        out.print(columns(("what", "study", "size", "why", "when"), rows))


@app.command("run")
def run(
    config: ConfigOption = None, data: DataOption = None, limit: Limit = 1000, *, as_json: JsonOption = False
) -> None:
    """Do now what the worker would do in its next round. Exit code 1 when something failed: it stays
    where it is and is tried again in a later round. The archive may be running.
    """
    with _opened(config, data) as tiering:
        done = tiering.run(limit=limit)
    if as_json:
        print_json(asdict(done))
    else:
        out.print(
            f"studies copied to the cold tier {done.packed}, freed on the hot one {done.evicted} "
            f"({size(done.freed_bytes)}), brought back {done.recalled}, failed {done.failed}"
        )
    if done.failed:
        raise typer.Exit(DIFFERENCE)


@app.command("status")
def status(config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Show how much lies where."""
    with _opened(config, data) as tiering:
        found = tiering.status()
    if as_json:
        print_json(asdict(found))
        return
    rows = (
        ("hot", str(found.hot_studies), size(found.hot_bytes)),
        ("cold", str(found.cold_studies), size(found.cold_bytes)),
        ("partly hot", str(found.partly_studies), ""),
        ("of these on both", "", size(found.both_bytes)),
        ("held", str(found.held), ""),
    )
    out.print(columns(("tier", "studies", "size"), rows))


@app.command("hold")
def hold(
    study: Annotated[str, typer.Argument(metavar="STUDY_UID", help="The study.")],
    reason: Annotated[str, typer.Argument(help="Why, e.g. a case number; shown by `pacs tier plan`.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Keep a study until it is released: on the hot tier, whatever the rules say, and from being purged
    while it is in the trash."""
    if not reason.strip():
        raise Invalid("a hold needs a reason", hint="say why in a few words")
    _hold(config, data, study, reason.strip())
    out.print("held")


@app.command("release")
def release(
    study: Annotated[str, typer.Argument(metavar="STUDY_UID", help="The study.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """End a hold: the rules and the retention of the trash decide again."""
    _hold(config, data, study, "")
    out.print("released")


def _hold(config: ConfigOption, data: DataOption, study: str, reason: str) -> None:
    from pacs.runtime import open_archive
    from tiering.service import hold

    log.setup("WARNING", role="tier")
    archive = open_archive(effective(config, data))
    try:
        hold(archive.stores.db, study, reason)
    finally:
        archive.close()


@contextmanager
def _opened(config: ConfigOption, data: DataOption) -> "Iterator[Tiering]":
    from pacs.runtime import open_archive
    from tiering.service import open_tiering

    log.setup("WARNING", role="tier")
    archive = open_archive(effective(config, data))
    try:
        tiering = open_tiering(archive)
        if tiering is None:
            raise Invalid("no cold tier is configured", hint="set [cold] bucket; see `pacs config show`")
        yield tiering
    finally:
        archive.close()


def size(count: float) -> str:
    """Bytes for a person to read."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")


def _moment(at_ns: int) -> str | None:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="seconds") if at_ns else None
