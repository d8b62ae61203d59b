"""Defaults, file, environment and command line into one Config; later ones win."""

import dataclasses
import json
import re
import tomllib
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pacs.config.read import convert, nearest, read
from pacs.config.sections import Config, is_loopback
from pacs.config.table import FILE_VARIABLE, PREFIX, Setting, settings
from pacs.config.tls import TlsConfig
from pacs.errors import Invalid

MASK: Final = "********"
_SWITCH: Final = {"true": True, "yes": True, "on": True, "1": True} | dict.fromkeys(
    ("false", "no", "off", "0"), False
)


def load(toml_text: str, environ: Mapping[str, str], overrides: Mapping[str, str]) -> Config:
    """The effective settings. `overrides` maps dotted names (`dimse.port`) to their text, as a
    command line gives them. Raises Invalid for anything unknown or of the wrong type."""
    tree = _parsed(toml_text)
    read(Config, tree)  # the file must be right by itself, also where something overrides it
    for variable, setting in _from_environment(environ).items():
        _put(tree, setting, environ[variable], variable)
    by_name = {setting.name: setting for setting in settings()}
    for name, text in overrides.items():
        if name not in by_name:
            raise Invalid(f"unknown setting {name}", hint=nearest(name, by_name))
        _put(tree, by_name[name], text, name)
    config = read(Config, tree)
    _check_tokens(config)
    _check_models(config)
    _check_identity(config)
    _check_tls(config.dimse.tls)
    return dataclasses.replace(config, data=_home(config.data, environ.get("HOME", "")))


def check_exposure(config: Config) -> None:
    """Raise Invalid when somebody beyond this machine could reach an archive that asks nobody who
    they are."""
    if config.auth.on or config.auth.insecure:
        return
    listeners = [("web.host", config.web.host)]
    if config.dimse.unknown_stations != "refuse":  # else only known stations get in
        listeners.insert(0, ("dimse.host", config.dimse.host))
    for name, host in listeners:
        if not is_loopback(host):
            raise Invalid(
                f"{name} is {host}, which other machines can reach, but no authentication is configured: "
                "anybody there could read and send patient data",
                hint="create a token (`pacs token create NAME --role viewer`) and add it to the "
                "configuration, or listen on 127.0.0.1, or say --insecure if the network itself is trusted",
            )


def to_tree(config: Config) -> dict[str, Any]:
    """The settings as JSON-able values in the shape of the configuration file, secrets included."""
    return typing.cast("dict[str, Any]", _plain(config))


def from_tree(tree: Mapping[str, Any]) -> Config:
    """The inverse of `to_tree`."""
    return read(Config, tree)


def masked(config: Config) -> dict[str, Any]:
    """Like `to_tree`, without what must not be shown."""
    tree = to_tree(config)
    for known in settings():
        value = tree[known.section][known.key] if known.secret else ""
        if value:
            tree[known.section][known.key] = mask_url(value) if known.key == "url" else MASK
    for token in tree["auth"]["tokens"]:
        token["hash"] = MASK
    for model in tree["ai"]["models"]:
        model["secret"] = MASK if model["secret"] else ""
    return tree


def mask_url(url: str) -> str:
    """A database address without its password, wherever an address can hold one."""
    url = re.sub(r"(?i)((?:^|[?&])(?:password|sslpassword|passfile)=)[^&]*", rf"\1{MASK}", url)
    # Up to the last @ before the path: passwords are not always percent-encoded as they should be.
    return re.sub(r"^([\w+]+://[^:/@]*:).*(@[^@/]*(?:/|\?|$))", rf"\1{MASK}\2", url)


def _parsed(toml_text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(toml_text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the configuration is not valid TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Setting]:
    known = {setting.variable: setting for setting in settings() if setting.variable}
    given = {name for name in environ if name.startswith(PREFIX)} - {FILE_VARIABLE}
    for name in sorted(given - known.keys()):
        raise Invalid(f"unknown environment variable {name}", hint=nearest(name, known))
    return {name: known[name] for name in sorted(given)}


def _put(tree: dict[str, Any], setting: Setting, text: str, label: str) -> None:
    value = convert(setting.kind, _from_text(setting.kind, text), label, setting.marks)
    section = tree.setdefault(setting.section, {}) if setting.section else tree
    section[setting.key] = value


def _from_text(kind: Any, text: str) -> Any:
    """The value a line of text spells; the text itself where it does not, for the reader to refuse."""
    if kind is bool:
        return _SWITCH.get(text.strip().lower(), text)
    if typing.get_origin(kind) is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _home(path: Path, home: str) -> Path:
    if path.parts[:1] == ("~",) and home:
        return Path(home, *path.parts[1:])
    return path


def _check_tokens(config: Config) -> None:
    seen: set[str] = set()
    for token in config.auth.tokens:
        for value in (token.name, token.hash):
            if value in seen:
                raise Invalid(f"two tokens share a name or a hash: {token.name}", hint="each needs its own")
            seen.add(value)


def _check_identity(config: Config) -> None:
    if config.dimse.user_identity == "required" and not config.auth.on:
        raise Invalid(
            "dimse.user_identity is required, but there is no token that anybody could show",
            hint="create one (`pacs token create NAME --role sender`) and add it to the configuration",
        )


def _check_tls(tls: TlsConfig) -> None:
    if tls.client != "none" and not tls.ca:
        raise Invalid(
            "dimse.tls.client asks for certificates that nothing here could check",
            hint="dimse.tls.ca names a PEM file of the authorities that sign them",
        )
    if not tls.on and (tls.key or tls.client != "none"):
        raise Invalid("dimse.tls has no certificate", hint="dimse.tls.certificate names its PEM file")


def _check_models(config: Config) -> None:
    names = [model.name for model in config.ai.models]
    for model in config.ai.models:
        if names.count(model.name) > 1:
            raise Invalid(f"two models are called {model.name}", hint="each needs its own name")
        needed = "url" if model.kind == "http" else "path"
        if not getattr(model, needed):
            raise Invalid(f"the model {model.name} of kind {model.kind} needs its {needed}")
    for rule in config.ai.rules:
        if rule.model not in names:
            raise Invalid(
                f"the rule {rule.name} names an unknown model {rule.model}", hint=nearest(rule.model, names)
            )


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def to_json(config: Config) -> str:
    return json.dumps(to_tree(config))


def from_json(text: str) -> Config:
    return from_tree(json.loads(text))
