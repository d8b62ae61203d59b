"""`pacs serve`: the archive, running."""

import dataclasses
import gc
import socket
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import typer

from pacs import __version__, log, services
from pacs.cli import sockets
from pacs.cli.common import ConfigOption, DataOption, effective, out
from pacs.cli.forked import fork
from pacs.cli.role import run
from pacs.cli.supervisor import Job, Supervisor
from pacs.config import Config, check_exposure
from pacs.crowd import Crowd
from pacs.errors import Unavailable


class ServedRole(StrEnum):
    DIMSE = "dimse"
    WEB = "web"
    WORKER = "worker"


_GARBAGE: Final = 20_000
"""So many new objects are there before any is looked at: nearly all go by themselves, with their request."""
_LISTENERS: Final = {ServedRole.DIMSE: "dimse", ServedRole.WEB: "http"}
"""Roles with a listening socket, and the option that says where."""


def serve(
    roles: Annotated[
        list[ServedRole] | None,
        typer.Argument(metavar="ROLE", help="dimse, web, worker. None named: all."),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer DICOMweb. Default: 127.0.0.1:8080.")
    ] = "",
    dimse: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to answer DIMSE. Default: 127.0.0.1:11112.")
    ] = "",
    aet: Annotated[str, typer.Option(metavar="AET", help="Our AE title. Default: HILUM.")] = "",
    *,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", help="Listen beyond this machine although nobody has to say who they are."
        ),
    ] = False,
) -> None:
    """Run the archive until Ctrl-C.

    Each role runs in its own process; one that dies is started again. Only this machine can reach
    the archive until you say otherwise, and then callers must be known:

        pacs token create reading-room --role viewer
        pacs serve --http 0.0.0.0:8080 --config hilum.toml
    """
    log.setup(role="serve")
    settings = effective(config, data, _overrides(http, dimse, aet, insecure=insecure))
    check_exposure(settings)
    wanted = sorted(set(roles or ServedRole))
    _check_installed(wanted)
    listening = {role: _listen(role, settings) for role in wanted if role in _LISTENERS}
    settings = _with_ports(settings, listening)
    _import_everything(wanted)
    _prepare(settings)
    supervisor = Supervisor(
        _jobs(wanted, listening, settings), lambda job, lifeline: _work(job, lifeline, settings)
    )
    supervisor.run(lambda: out.print(describe(settings, wanted)))


def _overrides(http: str, dimse: str, aet: str, *, insecure: bool) -> dict[str, str]:
    words: dict[str, str] = {}
    for section, flag, text in (("web", "http", http), ("dimse", "dimse", dimse)):
        if text:
            host, port = sockets.parse(text, flag)
            words[f"{section}.port"] = port
            if host:
                words[f"{section}.host"] = host
    if aet:
        words["dimse.aet"] = aet
    if insecure:
        words["auth.insecure"] = "true"
    return words


def _check_installed(roles: Sequence[str]) -> None:
    for name in roles:
        if services.missing(name):
            raise Unavailable(
                f"the role {name} is not installed", hint="reinstall hilum with all its packages"
            )


def _listen(role: ServedRole, settings: Config) -> socket.socket:
    where = settings.dimse if role is ServedRole.DIMSE else settings.web
    return sockets.listen(where.host, where.port, _LISTENERS[role])


def _with_ports(settings: Config, listening: dict[ServedRole, socket.socket]) -> Config:
    """The settings with the ports that were really taken."""
    ports = {role: sock.getsockname()[1] for role, sock in listening.items()}
    return dataclasses.replace(
        settings,
        dimse=dataclasses.replace(settings.dimse, port=ports.get(ServedRole.DIMSE, settings.dimse.port)),
        web=dataclasses.replace(settings.web, port=ports.get(ServedRole.WEB, settings.web.port)),
    )


def _import_everything(roles: Sequence[str]) -> None:
    """Once, here: the roles' processes are copies of this one."""
    import pacs.runtime  # noqa: F401

    for name in roles:
        services.lookup(name)
    gc.collect()
    gc.freeze()  # what is never looked at by the collector stays shared memory
    gc.set_threshold(_GARBAGE)


def _prepare(settings: Config) -> None:
    """Open the archive once, so that folders exist, the index has its schema and the worker hears of
    all that comes before any role starts, and so that trouble is told once and not by five processes."""
    code = fork(lambda: _open_once(settings), "pacs prepare").wait()
    if code:
        sys.exit(code)


def _open_once(settings: Config) -> None:
    from pacs.runtime import open_archive

    archive = open_archive(settings)
    try:
        archive.crew().enrol()
    finally:
        archive.close()


def _jobs(
    roles: Sequence[ServedRole], listening: dict[ServedRole, socket.socket], settings: Config
) -> list[Job]:
    counts = {ServedRole.DIMSE: settings.dimse.processes, ServedRole.WEB: settings.web.processes}
    jobs: list[Job] = []
    for role in roles:
        fd = listening[role].fileno() if role in listening else None
        count = counts.get(role, 1)
        names = [role.value] if count == 1 else [f"{role}-{number}" for number in range(1, count + 1)]
        crowd = Crowd(count)
        jobs += [Job(role, name, fd, crowd.place(number)) for number, name in enumerate(names)]
    return jobs


def _work(job: Job, lifeline: int, settings: Config) -> None:
    from pacs.runtime import open_archive

    log.setup(role=job.name)
    run(job.role, job.listen, lifeline, settings, opener=open_archive, place=job.place)


def describe(settings: Config, roles: Sequence[ServedRole]) -> str:
    """Where everything is, in a few lines for a person."""
    lines: list[tuple[str, str]] = []
    if ServedRole.WEB in roles:
        url = "http://" + sockets.at(_reachable(settings.web.host), settings.web.port)
        lines += [("web page", f"{url}/"), ("DICOMweb", f"{url}/dicom-web")]
    if ServedRole.DIMSE in roles:
        place = sockets.at(_reachable(settings.dimse.host), settings.dimse.port)
        lines.append(("DIMSE", f"{settings.dimse.aet} at {place}"))
    url = settings.index.url
    lines += [
        ("data", str(settings.data)),
        ("index", "PostgreSQL" if url.startswith("postgresql") else "SQLite"),
        ("callers", _callers(settings)),
        ("stop", "Ctrl-C"),
    ]
    body = "\n".join(f"  {label:<10} {text}" for label, text in lines)
    return f"\n  Hilum {__version__}\n\n{body}\n"


def _reachable(host: str) -> str:
    """An address a person can open, for a host that stands for every address."""
    return {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)  # noqa: S104 - compared


def _callers(settings: Config) -> str:
    if settings.auth.on:
        return f"{len(settings.auth.tokens)} known by token, {len(settings.dimse.peers)} known stations"
    return "anybody who can reach it (--insecure)" if settings.auth.insecure else "anybody on this machine"
