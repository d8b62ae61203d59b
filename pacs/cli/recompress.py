"""`pacs recompress`: keep in less space what is here already."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

import typer
from rich.filesize import decimal

from pacs import log
from pacs.cli.common import (
    ConfigOption,
    DataOption,
    JsonOption,
    columns,
    effective,
    out,
    print_json,
)
from pacs.cli.progress import progress
from pacs.errors import Invalid


class _Outcome(Protocol):
    @property
    def fate(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def now(self) -> int: ...
    @property
    def reason(self) -> str: ...


@dataclass(slots=True)
class Tally:
    """What became of the objects. `received_bytes` became `bytes`."""

    recompressed: int = 0
    received_bytes: int = 0
    bytes: int = 0
    passed: int = 0
    left: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: _Outcome) -> None:
        if outcome.reason:
            self.left[outcome.reason] += 1
        elif outcome.now:
            self.recompressed += 1
            self.received_bytes += outcome.size
            self.bytes += outcome.now
        else:
            self.passed += 1


def recompress(
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    study: Annotated[str, typer.Option("--study", metavar="UID", help="Only this study.")] = "",
    everything: Annotated[bool, typer.Option("--all", help="The whole archive.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how much there is to try.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep uncompressed pixel data as HTJ2K Lossless RPCL, after proof that it comes back bit for bit.

    What does not come back exactly, or would not become smaller, stays as it was received; it is listed
    by reason and not tried again. The archive may be running. [store] recompress does the same to what
    arrives.
    """
    from pacs.runtime import open_archive

    if bool(study) == everything:
        raise Invalid("say what to recompress", hint="give --study UID or --all")
    log.setup("WARNING", role="recompress")
    archive = open_archive(effective(config, data))
    tally, begun = Tally(), time.monotonic()
    try:
        objects, size = archive.recompressor.waiting(study)
        if dry_run:
            _tell(objects, size, as_json=as_json)
            return
        with progress("objects", objects, size) as advance:
            for outcome in archive.recompressor.every(study):
                tally.count(outcome)
                advance(outcome.size)
        archive.evictor.finish()
    finally:
        archive.close()
    _report(tally, time.monotonic() - begun, as_json=as_json)


def _tell(objects: int, size: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"objects": objects, "bytes": size})
    else:
        out.print(f"{objects} objects ({decimal(size)}) could be tried")


def _report(tally: Tally, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(_summary(tally, seconds))
        return
    if tally.left:
        listed = [(str(number), reason) for reason, number in sorted(tally.left.items())]
        out.print(columns(("left as received", "because"), listed))
    looked_at = f"{decimal(tally.received_bytes)} became {decimal(tally.bytes)}"
    out.print(f"{tally.recompressed} objects recompressed, {looked_at} in {seconds:.1f} s")


def _summary(tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "recompressed": tally.recompressed,
        "received_bytes": tally.received_bytes,
        "bytes": tally.bytes,
        "passed": tally.passed,
        "left": dict(sorted(tally.left.items())),
        "seconds": round(seconds, 3),
    }
