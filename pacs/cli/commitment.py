"""`pacs commitment`: what stations were promised, and which of them do not know it yet."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs import clock
from pacs.cli.common import (
    DIFFERENCE,
    OK,
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    local_actor,
    opened,
    out,
    print_json,
)

if TYPE_CHECKING:
    from pacs.commitment.model import Shown

app = typer.Typer(help="Storage commitment: what stations were promised.", no_args_is_help=True)


@app.command("list")
def listed(
    config: ConfigOption = None,
    data: DataOption = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest.")] = 50,
    *,
    untold: Annotated[bool, typer.Option("--untold", help="Only those whose station was not told.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Requests of stations, newest first: how many of their objects are kept, and whether they know.

    Parked ones were given up and wait for `pacs commitment retry`; exit code 1 when there are such."""
    with opened(config, data, "commitment") as archive:
        found = archive.commitments.shown(local_actor(), untold=untold, limit=limit)
    if as_json:
        print_json([_plain(one) for one in found])
    else:
        heads = ["asked (UTC)", "station", "objects", "not kept", "state", "tries", "transaction", "reason"]
        out.print(columns(heads, map(_line, found)) if found else "no commitments")
    raise typer.Exit(DIFFERENCE if any(one.parked for one in found) else OK)


@app.command("retry")
def retry(config: ConfigOption = None, data: DataOption = None) -> None:
    """Try again what was given up."""
    with opened(config, data, "commitment") as archive:
        out.print(f"{archive.commitments.retry(local_actor())} to be tried again")


def _state(one: "Shown") -> str:
    if one.parked:
        return "parked"
    if one.commitment.told_ns:
        return f"told, {one.commitment.told_by}"
    return "to be told" if one.commitment.decided_ns else "to be verified"


def _line(one: "Shown") -> list[str]:
    about = one.commitment
    failed = str(about.failed) if about.decided_ns else ""
    return [
        _moment(about.asked_ns),
        about.aet,
        str(about.objects),
        failed,
        _state(one),
        str(one.attempts or ""),
        about.transaction_uid,
        one.reason if not about.told_ns else "",
    ]


def _plain(one: "Shown") -> dict[str, Any]:
    about = one.commitment
    return {
        "station": about.aet,
        "transaction_uid": about.transaction_uid,
        "objects": about.objects,
        "not_kept": about.failed if about.decided_ns else None,
        "asked": _moment(about.asked_ns),
        "decided": _moment(about.decided_ns),
        "told": _moment(about.told_ns),
        "told_by": about.told_by,
        "attempts": one.attempts,
        "parked": one.parked,
        "reason": one.reason,
    }


def _moment(at_ns: int) -> str:
    """Empty for what has not come yet."""
    return clock.from_ns(at_ns).replace(tzinfo=None).isoformat(timespec="seconds") if at_ns else ""
