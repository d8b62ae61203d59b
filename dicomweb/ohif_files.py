"""What `make viewer` put into a folder: files, their compressed forms beside them, and a list of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from dicomweb import media
from pacs import log
from pacs.errors import Invalid

MANIFEST: Final = "viewer.json"
ENCODINGS: Final = {"br": "br", "gz": "gzip"}
"""Content codings (RFC 9110 8.4.1) by the suffix of the file; the better one first."""
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}
_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class File:
    """`forms` are the suffixes of its compressed forms. `named_by_content`: other content, other name."""

    path: Path
    digest: str
    forms: tuple[str, ...]
    named_by_content: bool

    @property
    def media_type(self) -> str:
        return TYPES.get(self.path.suffix, media.OCTET_STREAM)

    def form(self, accept_encoding: str) -> str:
        """The best form that is accepted; empty for the file itself."""
        accepted = _codings(accept_encoding)
        return next(
            (form for form, coding in ENCODINGS.items() if form in self.forms and coding in accepted), ""
        )

    def path_of(self, form: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{form}") if form else self.path


@dataclass(frozen=True, slots=True)
class Prepared:
    """`scripts` and `styles` are what its page loads. Only what is listed is ever served."""

    version: str
    scripts: tuple[str, ...]
    styles: tuple[str, ...]
    files: Mapping[str, File]


def read(folder: Path) -> Prepared | None:
    """None, with a word in the log, when nothing usable is there."""
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        return _prepared(folder, manifest)
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("no viewer in the folder of [web] viewer error=%s", type(error).__name__)
        return None


def _prepared(folder: Path, manifest: Any) -> Prepared:
    return Prepared(
        str(manifest["version"]),
        tuple(manifest["entry"]["scripts"]),
        tuple(manifest["entry"]["styles"]),
        {
            name: File(folder / name, entry["digest"], tuple(entry["forms"]), bool(entry["immutable"]))
            for name, entry in manifest["files"].items()
        },
    )


def _codings(accept_encoding: str) -> set[str]:
    """Those with a q-value above 0 (RFC 9110 12.5.3). What cannot be read accepts none."""
    accepted = set()
    for element in accept_encoding.lower().split(","):
        coding, _, parameter = element.partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            raise Invalid("a q-value in Accept-Encoding is not a number") from None
        if quality > 0:
            accepted.add(coding.strip())
    return accepted
