"""The settings as a flat table: what can be set, under which names."""

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pacs.config.sections import Config

PREFIX: Final = "PACS_"
FILE_VARIABLE: Final = "PACS_CONFIG"
"""Names the configuration file; read by the command line, known here so that it is not refused."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `kind` is its type, `tables` true when only a file can hold it."""

    section: str
    key: str
    kind: Any
    default: Any
    marks: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}" if self.section else self.key

    @property
    def help(self) -> str:
        return str(self.marks["help"])

    @property
    def secret(self) -> bool:
        return bool(self.marks.get("secret"))

    @property
    def variable(self) -> str:
        """The environment variable that sets it; empty when only a file can."""
        if not is_plain(self.kind):
            return ""
        return PREFIX + self.name.replace(".", "_").upper()


def is_plain(kind: Any) -> bool:
    """Whether one line of text can hold a value of this type (tables cannot)."""
    if typing.get_origin(kind) is tuple:
        return not dataclasses.is_dataclass(typing.get_args(kind)[0])
    return not (dataclasses.is_dataclass(kind) or is_mapping(kind))


def is_mapping(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def default_of(declared: dataclasses.Field[Any]) -> Any:
    """The default, or MISSING for a field that has to be given."""
    if declared.default_factory is not dataclasses.MISSING:
        return declared.default_factory()
    return declared.default


def kinds(section: type) -> Mapping[str, Any]:
    """Field name to type of one dataclass, annotations resolved."""
    return types.MappingProxyType(typing.get_type_hints(section))


def settings() -> Iterator[Setting]:
    """Every setting, in the order of declaration."""
    for outer in dataclasses.fields(Config):
        kind = kinds(Config)[outer.name]
        if not dataclasses.is_dataclass(kind):
            yield Setting("", outer.name, kind, default_of(outer), outer.metadata)
            continue
        section = typing.cast("type", kind)
        for inner in dataclasses.fields(section):
            yield Setting(
                outer.name, inner.name, kinds(section)[inner.name], default_of(inner), inner.metadata
            )
