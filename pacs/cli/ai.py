"""`pacs ai`: the models, what they were asked, and what became of it."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

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
from pacs.errors import Invalid

if TYPE_CHECKING:
    from ai_routing.service import Shown

app = typer.Typer(help="Models: how they do, what they were asked, asking again.", no_args_is_help=True)


@app.command("status")
def status(config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """How many runs of each model are where. Refused and parked ones wait for `pacs ai retry`.

    Exit code 1 when there are such."""
    from ai_routing import service

    with opened(config, data, "ai") as archive:
        found = service.status(archive, local_actor())
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
    else:
        heads = ["model", "", "waiting", "asked", "done", "refused", "parked"]
        lines = [
            [
                one.name,
                "" if one.enabled else "disabled" if one.configured else "not configured",
                *map(str, (one.waiting, one.asked, one.done, one.refused, one.parked)),
            ]
            for one in found
        ]
        out.print(columns(heads, lines) if lines else "no models are configured")
    raise typer.Exit(DIFFERENCE if any(one.refused or one.parked for one in found) else OK)


@app.command("runs")
def runs(
    config: ConfigOption = None,
    data: DataOption = None,
    study: Annotated[str, typer.Option(metavar="UID", help="Only this study.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most this many, the newest.")] = 50,
    *,
    as_json: JsonOption = False,
) -> None:
    """What the models were asked, newest first."""
    from ai_routing import service

    with opened(config, data, "ai") as archive:
        found = service.shown(archive, local_actor(), study_uid=study, limit=limit)
    if as_json:
        print_json([dataclasses.asdict(one) for one in found])
        return
    heads = ["begun (UTC)", "run", "model", "state", "tries", "study", "reason"]
    out.print(columns(heads, map(_line, found)) if found else "no runs")


@app.command("retry")
def retry(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Its name, as `pacs ai runs` shows it.")] = "",
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that were refused or given up.")] = False,
) -> None:
    """Try again what was refused or given up."""
    from ai_routing import service

    if bool(run) == everything:
        raise Invalid("name one run, or say --all", hint="`pacs ai runs` lists them")
    with opened(config, data, "ai") as archive:
        out.print(f"{service.retry(archive, local_actor(), run)} to be tried again")


@app.command("rerun")
def rerun(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="Its Study Instance UID.")],
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Ask the models that the rules want about a study anew."""
    from ai_routing import service

    with opened(config, data, "ai") as archive:
        out.print(f"{service.rerun(archive, local_actor(), study)} models are asked anew")


def _line(one: "Shown") -> list[str]:
    run = one.run
    begun = clock.from_ns(run.created_ns).replace(tzinfo=None).isoformat(timespec="seconds")
    state = "parked" if one.parked else run.state.value
    return [begun, run.run, run.model, state, str(one.attempts), run.study_uid, one.reason]
