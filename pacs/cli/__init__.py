"""The command `pacs`. Arguments, environment and configuration files are read here only."""

import sys
from typing import Annotated

import typer

from pacs import __version__
from pacs.cli import (
    ai,
    audit,
    bring,
    check,
    codecs,
    commitment,
    conformance,
    orders,
    recompress,
    renditions,
    serve,
    settings,
    stations,
    tier,
    token,
    trash,
)
from pacs.cli.common import complain, exit_code
from pacs.errors import PacsError

_HELP = """Hilum, a DICOM archive: in by C-STORE and STOW-RS, found by C-FIND and QIDO-RS, out by C-MOVE,
C-GET and WADO-RS.

A first minute:

    pacs serve                  run it; it prints where everything is
    pacs import /media/cdrom    bring files and folders in
    pacs check                  compare the index with the stored objects
    pacs echo AET               ask a station whether it answers
    pacs send AET UID           send it a study, a series, an instance
    pacs tier plan              what would move to the cold tier, and why
    pacs config show            every setting, its meaning, its value

Without settings it keeps its data in ./hilum-data and talks to this machine only. A TOML file
(--config), PACS_... variables and options change that; later ones win.

Exit codes: 0 done, 1 something differed or was refused, 2 wrong usage or settings, 3 something needed
is away.
"""

# Plain tracebacks for our own mistakes: a decorated one would print the values of variables, and
# those hold patient data.
app = typer.Typer(
    name="pacs",
    help=_HELP,
    rich_markup_mode="markdown",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the form typer calls
    if wanted:
        typer.echo(f"hilum {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


app.command("serve")(serve.serve)
app.command("import")(bring.bring)
app.command("check")(check.check)
app.command("echo")(stations.echo)
app.command("send")(stations.send)
app.command("audit")(audit.audit)
app.command("codecs")(codecs.show)
app.command("conformance")(conformance.conformance)
app.command("recompress")(recompress.recompress)
app.add_typer(ai.app, name="ai")
app.add_typer(commitment.app, name="commitment")
app.add_typer(orders.app, name="orders")
app.add_typer(settings.app, name="config")
app.add_typer(token.app, name="token")
app.add_typer(tier.app, name="tier")
app.add_typer(trash.app, name="trash")
app.add_typer(renditions.app, name="renditions")


def main() -> None:
    """The console script. Every refusal is one line and an exit code, never a traceback."""
    try:
        app()
    except PacsError as error:
        complain(error)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
