"""`pacs trash`: what was deleted, how it comes back, how it goes for good."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pacs.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    local_actor,
    opened,
    out,
    print_json,
)
from pacs.cli.tier import size
from pacs.errors import Invalid

if TYPE_CHECKING:
    from pacs.retention.trash import Shown

Name = Annotated[str, typer.Argument(metavar="ID", help="The deletion, as `pacs trash list` names it.")]

app = typer.Typer(help="What was deleted: list it, restore it, purge it.", no_args_is_help=True)


@app.command("list")
def list_(
    config: ConfigOption = None,
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="At most so many.")] = 100,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what was deleted, the latest first. What was purged is listed while packs hold bytes of it."""
    with opened(config, data, "trash") as archive:
        found = archive.trash.page(local_actor(), limit=limit)
    if as_json:
        print_json([_told(one) for one in found])
    elif not found:
        out.print("the trash is empty")
    else:
        headings = (
            "id",
            "deleted (UTC)",
            "by",
            "what",
            "uid",
            "instances",
            "size",
            "state",
            "reason",
            "held",
        )
        out.print(columns(headings, [_row(one) for one in found]))


@app.command("restore")
def restore(name: Name, config: ConfigOption = None, data: DataOption = None) -> None:
    """Bring a deletion back, all of it. What has arrived anew since stays current."""
    with opened(config, data, "trash") as archive:
        one = archive.trash.restore(local_actor(), name)
    out.print(f"restored {one.n_instances} instances")


@app.command("purge")
def purge(
    name: Annotated[str, typer.Argument(metavar="ID", help="The deletion. Without it, see --expired.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    expired: Annotated[
        bool, typer.Option("--expired", help="All that were deleted more than [trash] keep_days ago.")
    ] = False,
) -> None:
    """Let a deletion go for good: nobody can bring it back. A study that is held stays."""
    if bool(name) == expired:
        raise Invalid("say what to purge", hint="give an ID, or --expired")
    with opened(config, data, "trash") as archive:
        if expired:
            out.print(f"purged {archive.retention.purge_due()} deletions")
            return
        one = archive.trash.purge(local_actor(), name)
    out.print(f"purged {one.n_instances} instances")


def _row(shown: "Shown") -> tuple[str, ...]:
    told = _told(shown)
    uid = told["instance"] or told["series"] or told["study"]
    words = (told["id"], told["deleted"], told["by"], told["level"].lower(), uid, str(told["instances"]))
    held = shown.hold or ""
    return (*words, size(told["dead_bytes"] or told["bytes"]), told["state"], told["reason"], held)


def _told(shown: "Shown") -> dict[str, Any]:
    one = shown.deletion
    return {
        "id": one.name,
        "deleted": datetime.fromtimestamp(one.at_ns / 1e9, UTC).isoformat(timespec="seconds"),
        "by": one.actor,
        "level": one.level,
        "study": one.study_uid,
        "series": one.series_uid or None,
        "instance": one.sop_instance_uid or None,
        "instances": one.n_instances,
        "bytes": one.bytes,
        "state": one.state.value,
        "reason": one.reason,
        "hold": shown.hold or None,
        "dead_bytes": shown.dead_bytes,
    }
