"""Associations in the statement: who may call, what is negotiated, how it ends."""

from typing import Final

from dimse import acceptor, contexts, extended
from dimse.associate import APPLICATION_CONTEXT, AssociateReject
from dimse.command import Operation
from dimse.statement import prose
from dimse.statement.markdown import Lines, bullets, heading, paragraph, table
from dimse.statement.services import name_of
from pacs.auth.actor import Right
from pacs.config import Config
from pacs.dicom import uids
from pacs.retrieve import negotiate

_REJECTIONS: Final[tuple[tuple[AssociateReject, str], ...]] = (
    (acceptor.CALLING_AET_NOT_RECOGNIZED, "the calling AE title or its address is not known"),
    (acceptor.CALLED_AET_NOT_RECOGNIZED, "another AE title than ours is called, and that matters"),
    (acceptor.LOCAL_LIMIT_EXCEEDED, "too many associations are open; try again"),
    (acceptor.APPLICATION_CONTEXT_NOT_SUPPORTED, "another application context than DICOM's"),
    (acceptor.PROTOCOL_VERSION_NOT_SUPPORTED, "another protocol version than 1"),
    (acceptor.NO_REASON, "no presentation context is proposed, or a user identity is not accepted"),
)
_OPTIONS: Final = (
    "relational",
    "combined date and time",
    "fuzzy names",
    "time zone",
    "multi-frame conversion",
)


def section(config: Config) -> Lines:
    yield from heading(3, "Associations")
    yield from _general(config)
    yield from _acceptance(config)
    yield from _negotiation()
    yield from _preferences(config)


def _general(config: Config) -> Lines:
    dimse = config.dimse
    rows = (
        ("Application context", APPLICATION_CONTEXT),
        ("Implementation class UID", uids.IMPLEMENTATION_CLASS),
        ("Implementation version name", uids.IMPLEMENTATION_VERSION),
        ("Maximum PDU length received", f"{dimse.max_pdu} bytes (configurable)"),
        ("Maximum PDU length sent", "what the peer announces; 0 is no limit"),
        ("Associations accepted at once", f"{dimse.max_associations} in each of {dimse.processes} processes"),
        ("Presentation contexts in an association", f"{contexts.MAX_CONTEXTS}"),
        ("Outstanding operations", "1; a window proposed is answered with 1, 1"),
        ("Time to open or close an association", f"{dimse.acse_timeout:g} s (ARTIM)"),
        ("Time an association may be silent", f"{dimse.idle_timeout:g} s, then it is aborted"),
        ("Transport", "TCP/IP, IPv4 and IPv6"),
    )
    yield from table(("", ""), rows)


def _acceptance(config: Config) -> Lines:
    dimse = config.dimse
    yield from heading(4, "Who is let in")
    yield from paragraph(
        "A station is known by its AE title and the address it calls from. Spaces around a title do not",
        "count, the case of its letters does. Unknown stations are",
        {
            "auto": "refused when callers have to prove who they are, and admitted otherwise",
            "refuse": "refused",
            "admit": "admitted",
        }[dimse.unknown_stations]
        + " (configurable). The called AE title",
        "must be ours." if dimse.require_called_aet else "does not matter (configurable).",
        "Each station may be limited to some of the rights "
        + ", ".join(f"`{right}`" for right in Right)
        + ".",
    )
    if dimse.peers:
        rows = (
            (p.aet, p.host, p.port, "yes" if p.tls else "no", ", ".join(p.roles), ", ".join(p.rights))
            for p in dimse.peers.values()
        )
        yield from table(("AE title", "Address", "Port", "TLS", "Roles", "Rights"), rows)
    yield from table(
        ("Result", "Source", "Reason", "An association is rejected because"),
        ((r.result, r.source, r.reason, why) for r, why in _REJECTIONS),
    )


def _negotiation() -> Lines:
    yield from heading(4, "Extended negotiation")
    yield prose.NEGOTIATION
    rows = (
        (_title(operation), *("yes" if granted else "no" for granted in extended.encode(options)))
        for operation, options in extended.SUPPORTED.items()
    )
    yield from paragraph("SOP class extended negotiation grants these where they are asked for (PS3.4 C.5):")
    yield from table(("", *_OPTIONS), rows)


def _title(operation: Operation) -> str:
    return operation.name.replace("_", "-")


def _preferences(config: Config) -> Lines:
    yield from heading(4, "Transfer syntaxes")
    wanted = config.dimse.transfer_syntaxes
    yield from paragraph(
        "Of several transfer syntaxes in a presentation context the first that is supported is accepted, but",
        "Explicit VR Little Endian before Implicit VR Little Endian and Explicit VR Big Endian; an order of",
        "preference can be configured, also for a single station. It is",
        ", ".join(map(name_of, wanted)) + "." if wanted else "not configured here.",
    )
    yield from paragraph(
        "Objects whose transfer syntax a receiver does not accept are losslessly converted to one of:"
    )
    yield from bullets(f"{name_of(uid)} ({uid})" for uid in negotiate.PREFERENCE)
