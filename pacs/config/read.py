"""From raw values (TOML, JSON) to checked settings. Every refusal says what was expected where."""

import dataclasses
import difflib
import ipaddress
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pacs.config import terms
from pacs.config.peers import Peer
from pacs.config.table import is_mapping, kinds
from pacs.errors import Invalid

Section = TypeVar("Section")
Marks = Mapping[str, Any]


def read(section: type[Section], raw: Any, where: str = "") -> Section:
    """One table into its dataclass. `where` is its dotted name, empty for the whole file."""
    if not isinstance(raw, Mapping):
        raise Invalid(f"{where or 'the configuration'} must be a table of settings")
    declared = {item.name: item for item in dataclasses.fields(typing.cast("Any", section))}
    types = kinds(section)
    values: dict[str, Any] = {}
    for key, value in raw.items():
        name = f"{where}.{key}" if where else str(key)
        if key not in declared:
            raise Invalid(f"unknown setting {name}", hint=nearest(str(key), declared))
        values[key] = convert(types[key], value, name, declared[key].metadata)
    for key, item in declared.items():
        if key not in values and _required(item):
            raise Invalid(f"{where}.{key} is missing", hint=str(item.metadata.get("help", "")))
    return section(**values)


def nearest(unknown: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known name, or all of them when none is near."""
    names = list(known)
    close = difflib.get_close_matches(unknown, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else "known are " + ", ".join(sorted(names))


def convert(kind: Any, value: Any, name: str, marks: Marks) -> Any:
    """A raw value as the type its field declares; Invalid says what is expected."""
    if dataclasses.is_dataclass(kind):
        return read(typing.cast("type", kind), value, name)
    if is_mapping(kind):
        return _peers(value, name)
    origin = typing.get_origin(kind)
    if origin is tuple:
        return _several(typing.get_args(kind)[0], value, name, marks)
    if origin is typing.Literal:
        return _choice(typing.get_args(kind), value, name)
    return _PLAIN[kind](value, name, marks)


def _required(item: "dataclasses.Field[Any]") -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _wrong(name: str, expected: str, value: Any, marks: Marks) -> Invalid:
    shown = "" if marks.get("secret") else f", not {value!r}"
    return Invalid(f"{name} must be {expected}{shown}", hint=str(marks.get("help", "")))


def _choice(allowed: tuple[str, ...], value: Any, name: str) -> str:
    if value in allowed:
        return str(value)
    hint = nearest(value, allowed) if isinstance(value, str) else ""
    raise Invalid(f"{name} must be one of {', '.join(allowed)}, not {value!r}", hint=hint)


def _several(kind: Any, value: Any, name: str, marks: Marks) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(name, "a list", value, marks)
    items = tuple(convert(kind, item, f"{name}[{number}]", marks) for number, item in enumerate(value))
    if typing.get_origin(kind) is typing.Literal and not items:
        raise Invalid(f"{name} is empty", hint=str(marks.get("help", "")))
    return items


def _peers(value: Any, name: str) -> Mapping[str, Peer]:
    if not isinstance(value, Mapping):
        raise Invalid(f"{name} must be a table of stations", hint=f'write [{name}.AETITLE] and host = "..."')
    peers: dict[str, Peer] = {}
    for title, raw in value.items():
        where = f"{name}.{title}"
        aet = _FORMS["aet"](str(title), where, {})
        if not isinstance(raw, Mapping) or raw.get("aet", title) != title:
            raise Invalid(f"{where} must be a table with host and port")
        if aet in peers:
            raise Invalid(f"{where} is there twice", hint="spaces around an AE title do not count")
        peers[aet] = read(Peer, {**raw, "aet": aet}, where)
    return MappingProxyType(peers)


def _text(value: Any, name: str, marks: Marks) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "text", value, marks)
    form = marks.get("form")
    return _FORMS[form](value, name, marks) if form else value


def _switch(value: Any, name: str, marks: Marks) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value, marks)
    return value


def _whole(value: Any, name: str, marks: Marks) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not _within(value, marks):
        raise _wrong(name, f"a whole number{_range(marks)}", value, marks)
    return value


def _number(value: Any, name: str, marks: Marks) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _within(value, marks):
        raise _wrong(name, f"a number{_range(marks)}", value, marks)
    return float(value)


def _folder(value: Any, name: str, marks: Marks) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise _wrong(name, "a path", value, marks)
    return Path(value)


def _within(value: float, marks: Marks) -> bool:
    # Written so that NaN is outside.
    return bool(marks.get("low", value) <= value <= marks.get("high", value))


def _range(marks: Marks) -> str:
    return f" from {marks['low']} to {marks['high']}" if "low" in marks else ""


def _aet(value: str, name: str, marks: Marks) -> str:
    # PS3.5 6.2, AE: at most 16 characters of the default repertoire, no backslash, no control
    # characters; leading and trailing spaces do not count, and it may not be only spaces.
    title = value.strip(" ")
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", title):
        raise _wrong(name, "an AE title (1 to 16 ASCII characters without backslash)", value, marks)
    return title


def _host(value: str, name: str, marks: Marks) -> str:
    if not value or re.search(r"[\s/\[\]]", value):
        raise _wrong(name, "an address or host name (without port)", value, marks)
    return value


def _network(value: str, name: str, marks: Marks) -> str:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise _wrong(name, "an address or a network such as 10.0.0.0/8", value, marks) from None
    return value


def _index_url(value: str, name: str, marks: Marks) -> str:
    if value and not re.match(r"(sqlite|postgresql)(\+\w+)?://", value):
        raise _wrong(name, "empty or begin with sqlite:// or postgresql://", value, marks)
    return value


def _broker_url(value: str, name: str, marks: Marks) -> str:
    if value and not re.match(r"(rediss?|redis\+socket)://.", value):
        raise _wrong(name, "empty or begin with redis://, rediss:// or redis+socket://", value, marks)
    return value


def _http_url(value: str, name: str, marks: Marks) -> str:
    # Without user and password, which would be shown wherever the address is.
    if value and not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#@]*)?", value):
        raise _wrong(name, "an address such as http://host:port/path", value, marks)
    return value.rstrip("/")


def _url_path(value: str, name: str, marks: Marks) -> str:
    if not re.fullmatch(r"((/[A-Za-z0-9._~-]+)*)/?", value):
        raise _wrong(name, "empty or a path such as /pacs", value, marks)
    return value.rstrip("/")


def _origin(value: str, name: str, marks: Marks) -> str:
    # RFC 6454 6.2, as a browser sends it: lower case, no path, no default port.
    origin = value.rstrip("/").lower()
    if not re.fullmatch(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", origin):
        raise _wrong(name, "an origin such as https://viewer.example.org", value, marks)
    return origin


def _token_hash(value: str, name: str, marks: Marks) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise _wrong(name, "sha256: and 64 hex digits, as `pacs token create` prints it", value, marks)
    return value


def _transfer_syntax(value: str, name: str, marks: Marks) -> str:
    del marks
    known = terms.transfer_syntaxes()
    if value not in known:
        raise Invalid(f"{name} must be a transfer syntax, not {value!r}", hint=nearest(value, known))
    return known[value]


def _character_set(value: str, name: str, marks: Marks) -> str:
    del marks
    for term in terms.unknown_character_sets(value) if value else ():
        raise Invalid(
            f"{name} must be a Specific Character Set of PS3.3 C.12.1.1.2, not {value!r}",
            hint=nearest(term, terms.character_sets()),
        )
    return value


def _name(value: str, name: str, marks: Marks) -> str:
    if not 1 <= len(value) <= 64 or not value.isprintable():
        raise _wrong(name, "1 to 64 printable characters", value, marks)
    return value


_PLAIN: Final[Mapping[Any, Callable[[Any, str, Marks], Any]]] = MappingProxyType(
    {str: _text, bool: _switch, int: _whole, float: _number, Path: _folder}
)
_FORMS: Final[Mapping[str, Callable[[str, str, Marks], str]]] = MappingProxyType(
    {
        "aet": _aet,
        "host": _host,
        "network": _network,
        "index-url": _index_url,
        "broker-url": _broker_url,
        "http-url": _http_url,
        "url-path": _url_path,
        "origin": _origin,
        "token-hash": _token_hash,
        "name": _name,
        "transfer-syntax": _transfer_syntax,
        "character-set": _character_set,
    }
)
