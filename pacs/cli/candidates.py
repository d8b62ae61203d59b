"""Which files `pacs import` brings: what was named, and what lies in named folders."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pacs.errors import Invalid

HEAD_BYTES: Final = 1024
_PREAMBLE: Final = 128


class Kind(StrEnum):
    OBJECT = "object"
    DICOMDIR = "dicomdir"
    OTHER = "not-dicom"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to look at. `named`: it was typed itself, not found in a folder."""

    path: Path
    size: int
    named: bool


Troubled = Callable[[Path, OSError], None]


def find(paths: Iterable[Path], troubled: Troubled) -> Iterator[Candidate]:
    """Files in a stable order, one folder's names in memory at a time. Links to folders are
    followed only where they were typed, so no loop can be entered. What cannot be looked at goes
    to `troubled`. Raises Invalid for a typed path that does not exist."""
    for path in paths:
        if not path.exists():
            raise Invalid(f"{shown(path)} does not exist")
        if path.is_dir():
            yield from _inside(path, troubled)
        else:
            yield Candidate(path, path.stat().st_size, named=True)


def _inside(folder: Path, troubled: Troubled) -> Iterator[Candidate]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        troubled(folder, error)
        return
    for entry in entries:
        path = folder / entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _inside(path, troubled)
            elif entry.is_file():
                yield Candidate(path, entry.stat().st_size, named=False)
        except OSError as error:
            troubled(path, error)


def kind_of(path: Path) -> Kind:
    """What a file seems to be by its first kilobyte. Raises OSError."""
    if path.name.upper() == "DICOMDIR":
        return Kind.DICOMDIR
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head[_PREAMBLE : _PREAMBLE + 4] == b"DICM":
        return Kind.DICOMDIR if _DIRECTORY.search(head) else Kind.OBJECT
    return Kind.OBJECT if _BARE.match(head) else Kind.OTHER


# Media Storage SOP Class UID naming a Media Storage Directory (PS3.3 F, PS3.4 I.4).
_DIRECTORY: Final = re.compile(rb"\x02\x00\x02\x00UI\x14\x00" + re.escape(b"1.2.840.10008.1.3.10"))
# A data set without preamble begins with File Meta Information or with group 0008 (either byte
# order), an element number, and a VR or a length below 64 KiB.
_BARE: Final = re.compile(
    rb"(?s)(?:[\x02\x08]\x00..(?:[A-Z]{2}|..\x00\x00))|(?:\x00\x08..(?:[A-Z]{2}|\x00\x00..))"
)


def shown(path: Path) -> str:
    """A path for people: names that are not text lose the bytes that are none."""
    return os.fsencode(path).decode("utf-8", "replace")
