"""`pacs import`: files and folders through the one way in."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import typer
from rich.filesize import decimal

from pacs import log
from pacs.auth.actor import Actor
from pacs.cli.candidates import Candidate, Kind, find, kind_of, shown
from pacs.cli.common import (
    DIFFERENCE,
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    effective,
    err,
    local_actor,
    out,
    print_json,
)
from pacs.cli.progress import progress
from pacs.errors import Unavailable
from pacs.ingest.receipt import Duplicate, Receipt, Stored, Superseded

_PIECE: Final = 1024 * 1024
_LISTED: Final = 1000


class Ingest(Protocol):
    """What importing needs of the archive."""

    def spool(self, actor: Actor, /) -> Any: ...
    def accept(self, actor: Actor, spool: Any, /) -> Receipt: ...


@dataclass(frozen=True, slots=True)
class Failure:
    path: str
    rule: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What became of the files. `failures` holds the first thousand, `refused` counts all."""

    files: int = 0
    bytes: int = 0
    stored: int = 0
    duplicates: int = 0
    superseded: int = 0
    refused: int = 0
    skipped: dict[str, int] = field(default_factory=lambda: {Kind.DICOMDIR.value: 0, Kind.OTHER.value: 0})
    failures: list[Failure] = field(default_factory=list)

    def count(self, path: Path, receipt: Receipt) -> None:
        if isinstance(receipt, Stored):
            self.stored += 1
        elif isinstance(receipt, Duplicate):
            self.duplicates += 1
        elif isinstance(receipt, Superseded):
            self.superseded += 1
        else:
            self.fail(path, receipt.rule, receipt.reason)

    def fail(self, path: Path, rule: str, reason: str) -> None:
        self.refused += 1
        if len(self.failures) < _LISTED:
            self.failures.append(Failure(shown(path), rule, reason))

    def trouble(self, path: Path, error: OSError) -> None:
        self.fail(path, "file-error", error.strerror or type(error).__name__)


def bring(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Bring DICOM files and folders into the archive.

    Folders are searched to the bottom; what is not DICOM in them is passed over, and so is a DICOMDIR.
    Run it again after an interruption: what is there already is recognised. Exit code 1 when a file
    was refused; the others are in.
    """
    from pacs.runtime import open_archive

    log.setup("WARNING", role="import")
    total = _measure(paths)
    archive = open_archive(effective(config, data))
    tally = Tally()
    begun = time.monotonic()
    try:
        with progress("files", *total) as advance:
            for candidate in find(paths, tally.trouble):
                take(archive.ingest, local_actor(), candidate, tally)
                advance(candidate.size)
    except Unavailable as error:
        raise Unavailable(
            f"{error}; stopped after {tally.files} files",
            hint=f"{error.hint}; then run the same command again",
        ) from error
    finally:
        archive.close()
        _report(tally, time.monotonic() - begun, as_json=as_json)
    if tally.refused:
        raise typer.Exit(DIFFERENCE)


def take(ingest: Ingest, actor: Actor, candidate: Candidate, tally: Tally) -> None:
    """Bring one file in and count what became of it. Raises Unavailable."""
    try:
        kind = kind_of(candidate.path)
        if kind is Kind.DICOMDIR and candidate.named:
            tally.fail(candidate.path, "dicomdir", "a DICOMDIR is a table of contents, not an object")
        elif kind is not Kind.OBJECT and not candidate.named:
            tally.skipped[kind] += 1
            return
        else:
            tally.count(candidate.path, _send(ingest, actor, candidate.path))
    except OSError as error:
        tally.trouble(candidate.path, error)
    tally.files += 1
    tally.bytes += candidate.size


def _send(ingest: Ingest, actor: Actor, path: Path) -> Receipt:
    piece = memoryview(bytearray(_PIECE))
    with path.open("rb", buffering=0) as file, ingest.spool(actor) as spool:
        while length := file.readinto(piece):
            spool.write(piece[:length])
        return ingest.accept(actor, spool)


def _measure(paths: Iterable[Path]) -> tuple[int, int]:
    """How many files and bytes there are to look at; trouble is told when they are brought."""
    files = size = 0
    with err.status("counting files"):
        for candidate in find(paths, lambda _path, _error: None):
            files += 1
            size += candidate.size
    return files, size


def _report(tally: Tally, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(_summary(tally, seconds))
        return
    if tally.failures:
        listed = [(failure.rule, failure.reason, failure.path) for failure in tally.failures]
        err.print(columns(("refused by", "reason", "file"), listed))
        if tally.refused > len(tally.failures):
            err.print(f"... and {tally.refused - len(tally.failures)} more")
    counts = {
        "stored": tally.stored,
        "here already": tally.duplicates,
        "superseded": tally.superseded,
        "refused": tally.refused,
        "not DICOM": tally.skipped[Kind.OTHER],
        "DICOMDIR": tally.skipped[Kind.DICOMDIR],
    }
    parts = [f"{number} {what}" for what, number in counts.items() if number] or ["nothing found"]
    rate = decimal(int(tally.bytes / seconds)) if seconds > 0 else "-"
    out.print(f"{', '.join(parts)} ({decimal(tally.bytes)} in {seconds:.1f} s, {rate}/s)")


def _summary(tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "files": tally.files,
        "bytes": tally.bytes,
        "seconds": round(seconds, 3),
        "stored": tally.stored,
        "duplicates": tally.duplicates,
        "superseded": tally.superseded,
        "refused": tally.refused,
        "skipped": tally.skipped,
        "failures": [{"path": f.path, "rule": f.rule, "reason": f.reason} for f in tally.failures],
    }
