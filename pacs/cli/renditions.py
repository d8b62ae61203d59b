"""`pacs renditions`: the thumbnails that are kept, and making them again."""

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pacs import log
from pacs.cli.common import ConfigOption, DataOption, JsonOption, effective, err, out, print_json

app = typer.Typer(help="Thumbnails kept beside the archive: a cache.", no_args_is_help=True)


@app.command()
def status(config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """How many thumbnails are kept, and how much of their budget they take."""
    from pacs.runtime import open_archive

    log.setup("WARNING", role="renditions")
    archive = open_archive(effective(config, data))
    try:
        held, budget = archive.renditions.status()
    finally:
        archive.close()
    if as_json:
        print_json({"files": held.files, "bytes": held.bytes, "budget_bytes": budget})
        return
    out.print(f"{held.files} thumbnails, {held.bytes:,} of {budget:,} bytes")


@app.command()
def rebuild(config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Throw the kept thumbnails away and make those of every series anew. The archive may be running."""
    from pacs.runtime import open_archive

    log.setup("WARNING", role="renditions")
    archive = open_archive(effective(config, data))
    parts = (SpinnerColumn(), TextColumn("{task.completed} thumbnails"), TimeElapsedColumn())
    try:
        with Progress(*parts, console=err, transient=True, disable=not err.is_terminal) as progress:
            task = progress.add_task("thumbnails", total=None)
            made = archive.renditions.rebuild(lambda done: progress.update(task, completed=done))
    finally:
        archive.close()
    if as_json:
        print_json({"made": made})
        return
    out.print(f"{made} thumbnails made")
