"""`pacs config`: what is set, and what can be."""

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

from pacs.cli.common import ConfigOption, DataOption, JsonOption, effective, print_json
from pacs.config import Config, Setting, masked, settings

_WIDTH: Final = 96
app = typer.Typer(help="Look at the settings.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look at the settings."""


@app.command("show")
def show(config: ConfigOption = None, data: DataOption = None, *, as_json: JsonOption = False) -> None:
    """Every setting in force, with its meaning and the variable that sets it.

    What is printed is a configuration file; secrets in it are masked.
    """
    found = effective(config, data)
    if as_json:
        print_json(masked(found))
    else:
        typer.echo(as_toml(found))


def as_toml(found: Config) -> str:
    """The settings in force as a commented configuration file without secrets."""
    tree = masked(found)
    section = ""
    lines: list[str] = []
    for setting in settings():
        if setting.section != section:
            section = setting.section
            lines += ["", f"[{section}]"]
        value = (tree[section] if section else tree)[setting.key]
        lines += ["", *_comment(setting), *_lines(setting, value)]
    return "\n".join(lines[1:])


def _comment(setting: Setting) -> list[str]:
    variable = f" ({setting.variable})" if setting.variable else ""
    return [f"# {line}" for line in textwrap.wrap(setting.help + variable, _WIDTH)]


def _lines(setting: Setting, value: Any) -> Iterator[str]:
    if dataclasses.is_dataclass(setting.kind):
        yield f"[{setting.name}]"
        yield from _fields(value)
    elif isinstance(value, Mapping):
        for name, fields in value.items():
            yield f"[{setting.name}.{_spelled(name)}]"
            yield from _fields({key: inner for key, inner in fields.items() if key != "aet"})
    elif isinstance(value, list) and setting.variable == "":
        for fields in value:
            yield f"[[{setting.name}]]"
            yield from _fields(fields)
    else:
        yield from _fields({setting.key: value})


def _fields(fields: Mapping[str, Any]) -> Iterator[str]:
    for key, value in fields.items():
        yield f"{key} = {_spelled(value)}"


def _spelled(value: Any) -> str:
    # JSON spells text, numbers, switches and lists of them as TOML does, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
