"""`pacs audit`: who touched what, newest first."""

import dataclasses
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from pacs import clock, log
from pacs.cli.common import ConfigOption, DataOption, JsonOption, columns, effective, local_actor, out
from pacs.errors import Invalid

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLUMNS: Final[dict[str, Callable[[Any], str]]] = {
    "when (UTC)": lambda row: _moment(row.at_ns, "seconds"),
    "who": lambda row: row.actor,
    "from": lambda row: f"{row.origin} ({row.channel})",
    "what": lambda row: row.action,
    "outcome": lambda row: row.outcome,
    "patient": lambda row: row.patient_id,
    "study": lambda row: row.study_uid,
    "detail": lambda row: row.detail,
}


def audit(  # noqa: PLR0913 - one parameter is one option
    config: ConfigOption = None,
    data: DataOption = None,
    study: Annotated[str, typer.Option(metavar="UID", help="Only this study.")] = "",
    patient: Annotated[str, typer.Option(metavar="ID", help="Only this patient.")] = "",
    actor: Annotated[str, typer.Option(metavar="NAME", help="Only this token, station or user.")] = "",
    since: Annotated[
        str,
        typer.Option(metavar="WHEN", help="From then on: 2026-11-21, 2026-11-21T08:30 (UTC), 90m, 12h, 7d."),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most this many, the newest.")] = 100,
    *,
    as_json: JsonOption = False,
) -> None:
    """Who stored, searched and read what. --json writes one object a line."""
    from pacs.runtime import open_archive

    log.setup("WARNING", role="audit")
    begin = since_ns(since, clock.now_ns()) if since else 0
    archive = open_archive(effective(config, data))
    try:
        rows = archive.audit_trail(
            local_actor(), study_uid=study, patient_id=patient, actor=actor, since_ns=begin, limit=limit
        )
        if as_json:
            for row in rows:
                line = {"at": _moment(row.at_ns, "microseconds"), **dataclasses.asdict(row)}
                sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            return
        lines = [[make(row) for make in _COLUMNS.values()] for row in rows]
    finally:
        archive.close()
    out.print(columns(list(_COLUMNS), lines) if lines else "nothing recorded")


def since_ns(text: str, now_ns: int) -> int:
    """A moment as typed, in nanoseconds since the epoch: a UTC date or time, or how long ago."""
    ago = re.fullmatch(r"(\d{1,6})([mhdw])", text)
    if ago:
        return now_ns - int(timedelta(**{_UNITS[ago[2]]: int(ago[1])}).total_seconds()) * 10**9
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"--since {text!r} is no moment", hint="for example 2026-11-21, 2026-11-21T08:30, 12h or 7d"
        ) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 10**9


def _moment(nanoseconds: int, precision: str) -> str:
    return clock.from_ns(nanoseconds).replace(tzinfo=None).isoformat(timespec=precision)
