"""What the commands share: where settings come from, how things are said, and to whom."""

import dataclasses
import getpass
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from pacs import log
from pacs.auth.actor import Actor, Role
from pacs.config import FILE_VARIABLE, Config, load
from pacs.errors import Invalid, PacsError, Unavailable

if TYPE_CHECKING:
    from pacs.runtime import Archive

OK: Final = 0
DIFFERENCE: Final = 1
USAGE: Final = 2
UNAVAILABLE: Final = 3

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help=f"Configuration file (TOML). Default: what {FILE_VARIABLE} names."
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder. Default: ./hilum-data.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]

out: Final = Console(highlight=False, markup=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def effective(config: Path | None, data: Path | None, overrides: Mapping[str, str] | None = None) -> Config:
    """The settings in force: defaults, then the file, the environment and the command line."""
    file = config or (Path(os.environ[FILE_VARIABLE]) if os.environ.get(FILE_VARIABLE) else None)
    words = dict(overrides or {})
    if data is not None:
        words["data"] = str(data)
    found = load(_checked(file) if file else "", os.environ, words)
    return dataclasses.replace(found, data=found.data.absolute())


def _checked(file: Path) -> str:
    """The text of a configuration file that is right by itself, so that a complaint can name it."""
    text = _text(file)
    try:
        load(text, {}, {})
    except Invalid as error:
        raise Invalid(f"{file}: {error}", hint=error.hint) from error
    return text


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}", hint="check --config") from error
    except UnicodeDecodeError as error:
        raise Invalid(
            f"{file} is not UTF-8 text", hint="a configuration is TOML, see `pacs config show`"
        ) from error


def local_actor() -> Actor:
    """Whoever types: who can read the data folder anyway has every right here."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        name = f"uid {os.getuid()}"
    return Actor(name, frozenset(Role), "local", "cli")


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def columns(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An aligned table of any width: lines stay whole, for grep as for eyes. What a terminal could
    take for a command (values come from outside) is shown as a replacement character."""
    table = [[_printable(value) for value in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (
        "  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True)) for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def exit_code(error: PacsError) -> int:
    if isinstance(error, Invalid):
        return USAGE
    return UNAVAILABLE if isinstance(error, Unavailable) else DIFFERENCE


def complain(error: PacsError) -> None:
    err.print("error:", style="bold red", end=" ")
    err.print(str(error))
    if error.hint:
        err.print("hint:", style="bold", end="  ")
        err.print(error.hint)


@contextmanager
def opened(config: Path | None, data: Path | None, role: str) -> "Iterator[Archive]":
    """The archive of the settings, for a command that works on it; `role` stands in its log lines."""
    from pacs.runtime import open_archive

    log.setup("WARNING", role=role)
    archive = open_archive(effective(config, data))
    try:
        yield archive
    finally:
        archive.close()
