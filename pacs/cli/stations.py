"""`pacs echo` and `pacs send`: the archive calls a configured station."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pacs import log
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

if TYPE_CHECKING:
    from dimse.send import Sent

_LISTED: Final = 1000

StationArgument = Annotated[
    str, typer.Argument(metavar="AET", help="AE title of a station in [dimse.peers] of the configuration.")
]


def echo(
    aet: StationArgument,
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Ask a station whether it answers (C-ECHO).

    Exit code 1 when it refuses us or answers with a failure, 3 when it does not answer."""
    from dimse import calls

    log.setup("ERROR", role="echo")
    settings = effective(config, data)
    found = calls.echo(settings, aet)
    peer = settings.dimse.peers[aet]
    times = {"association_ms": _ms(found.associated_s), "echo_ms": _ms(found.echoed_s)}
    if as_json:
        print_json({"aet": aet, "host": peer.host, "port": peer.port, "status": found.status, **times})
    else:
        said = "answers" if not found.status else f"answers with status {found.status:04X}"
        took = f"association {times['association_ms']} ms, echo {times['echo_ms']} ms"
        out.print(f"{aet} at {peer.host}:{peer.port} {said} ({took})")
    if found.status:
        raise typer.Exit(DIFFERENCE)


@dataclass(frozen=True, slots=True)
class Failure:
    instance: str
    status: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What became of the objects. `failures` holds the first thousand, `failed` counts all."""

    sent: int = 0
    warned: int = 0
    failed: int = 0
    bytes: int = 0
    failures: list[Failure] = field(default_factory=list)

    def count(self, one: "Sent") -> None:
        if not (one.status.is_success or one.status.is_warning):
            self.failed += 1
            if len(self.failures) < _LISTED:
                code = f"{one.status.code:04X}"
                self.failures.append(Failure(one.stored.key.instance, code, one.status.comment))
            return
        self.sent += 1
        self.warned += one.status.is_warning
        self.bytes += one.stored.size


def send(
    aet: StationArgument,
    uids: Annotated[list[str], typer.Argument(metavar="UID...", help="Studies, series, instances.")],
    config: ConfigOption = None,
    data: DataOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Send studies, series or instances to a station (C-STORE).

    Objects go as they are stored wherever the station takes that, else losslessly converted. Exit code
    1 when one was not taken; the others are sent. The archive may be running."""
    from dimse import send as sending
    from pacs.runtime import open_archive

    log.setup("ERROR", role="send")
    archive = open_archive(effective(config, data))
    tally, begun = Tally(), time.monotonic()
    try:
        chosen = archive.retrieve.named(local_actor(), uids)
        number = sum(part.count for part in chosen)
        with progress("objects", number) as advance:
            for one in _reached(aet, sending.deliver(archive.retrieve, archive.config.dimse, aet, chosen)):
                tally.count(one)
                advance()
    finally:
        archive.close()
    _report(aet, tally, time.monotonic() - begun, as_json=as_json)
    if tally.failed:
        raise typer.Exit(DIFFERENCE)


def _reached(aet: str, sent: "Iterable[Sent]") -> "Iterator[Sent]":
    """Raises Unavailable when the station cannot be reached at all."""
    from dimse.status import NOT_SENT

    for number, one in enumerate(sent):
        if not number and one.status.code == NOT_SENT.code:
            raise Unavailable(f"{aet}: {one.status.comment}", hint=f"try `pacs echo {aet}`")
        yield one


def _report(aet: str, tally: Tally, seconds: float, *, as_json: bool) -> None:
    if as_json:
        print_json(_summary(aet, tally, seconds))
        return
    if tally.failures:
        listed = [(one.status, one.reason, one.instance) for one in tally.failures]
        err.print(columns(("status", "reason", "instance"), listed))
        if tally.failed > len(tally.failures):
            err.print(f"... and {tally.failed - len(tally.failures)} more")
    counts = {"with a warning": tally.warned, "failed": tally.failed}
    further = "".join(f", {number} {what}" for what, number in counts.items() if number)
    out.print(f"{tally.sent} sent to {aet}{further} ({seconds:.1f} s)")


def _summary(aet: str, tally: Tally, seconds: float) -> dict[str, Any]:
    return {
        "aet": aet,
        "sent": tally.sent,
        "warned": tally.warned,
        "failed": tally.failed,
        "bytes": tally.bytes,
        "seconds": round(seconds, 3),
        "failures": [
            {"instance": one.instance, "status": one.status, "reason": one.reason} for one in tally.failures
        ],
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
