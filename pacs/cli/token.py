"""`pacs token`: let a caller in."""

import json
from typing import Annotated

import typer

from pacs.auth import tokens
from pacs.auth.actor import Role
from pacs.cli.common import JsonOption, err, print_json
from pacs.config import load

app = typer.Typer(help="Let callers in over HTTP.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Let callers in over HTTP."""


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who will hold it; appears in the audit trail.")],
    role: Annotated[list[Role], typer.Option("--role", help="What it may do; may be given several times.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a token. It is shown once; the archive keeps only its digest, in the lines printed here.

    Callers send it as `Authorization: Bearer TOKEN`, or as the password of Basic authentication.
    """
    token, digest = tokens.create()
    roles = sorted(set(role))
    block = _block(name, digest, roles)
    load(block, {}, {})  # refuses a name the archive would not take
    if as_json:
        print_json({"name": name, "token": token, "hash": digest, "roles": roles})
        return
    err.print("The token, shown this once:", style="bold")
    typer.echo(token)
    err.print("\nAdd to the configuration file and restart:", style="bold")
    err.print(block)


def _block(name: str, digest: str, roles: "list[Role]") -> str:
    # A JSON string is a TOML basic string.
    listed = ", ".join(json.dumps(str(role)) for role in roles)
    return f"[[auth.tokens]]\nname = {json.dumps(name)}\nhash = {json.dumps(digest)}\nroles = [{listed}]"
