"""Asking for an association (PS3.8 7.1)."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass

from dimse import contexts, tls
from dimse.associate import (
    AssociateRequest,
    Proposed,
    Role,
    decode_accept,
    decode_reject,
    encode_request,
)
from dimse.errors import AbortReason, AssociationEnded, ProtocolError, Rejected
from dimse.pdu import Kind, Pdu
from dimse.upper_layer import Association, Parties, abort
from dimse.userinfo import Extension, Identity
from dimse.wire import Wire
from pacs import clock
from pacs.config import TlsConfig


@dataclass(frozen=True, slots=True)
class Target:
    """An application entity to call, and who calls."""

    host: str
    port: int
    called_aet: str
    calling_aet: str
    max_length: int = 262_144
    connect_timeout: float = 10.0
    acse_timeout: float = 30.0
    idle_timeout: float = 60.0
    identity: Identity | None = None
    tls: TlsConfig | None = None  # None: without


def proposals(wanted: Iterable[tuple[str, tuple[str, ...]]]) -> tuple[Proposed, ...]:
    """Number the contexts; at most `contexts.MAX_CONTEXTS` fit into one association."""
    return tuple(Proposed(2 * i + 1, abstract, syntaxes) for i, (abstract, syntaxes) in enumerate(wanted))


def request(
    target: Target,
    proposed: tuple[Proposed, ...],
    roles: tuple[Role, ...] = (),
    extended: tuple[Extension, ...] = (),
) -> Association:
    """Associate. Raises Rejected, or AssociationEnded when nobody answers as PS3.8 says."""
    asked = AssociateRequest(
        target.called_aet,
        target.calling_aet,
        proposed,
        target.max_length,
        roles,
        extended=extended,
        identity=target.identity,
    )
    try:
        sock = socket.create_connection((target.host, target.port), target.connect_timeout)
    except OSError as error:
        raise AssociationEnded(f"no connection: {error.strerror or error}") from error
    if target.tls is not None:
        sock = tls.called(sock, target.tls, target.host, target.acse_timeout)
    wire = Wire(sock, max_length=target.max_length, timeout=target.acse_timeout)
    try:
        return _associate(wire, target, asked)
    except ProtocolError as error:
        abort(wire, error.reason, target.acse_timeout)
        raise AssociationEnded(str(error)) from error
    except AssociationEnded:
        wire.close()
        raise


def _associate(wire: Wire, target: Target, asked: AssociateRequest) -> Association:
    wire.send([encode_request(asked)])
    received = wire.read(deadline=clock.monotonic() + target.acse_timeout)
    accepted = decode_accept(_expect_accept(received))
    association = Association(
        wire,
        Parties(target.calling_aet, target.called_aet, target.host),
        contexts.granted(asked, accepted),
        peer_max_length=accepted.max_length,
        closing_timeout=target.acse_timeout,
    )
    wire.set_timeout(target.idle_timeout)
    return association


def _expect_accept(received: Pdu) -> memoryview:
    if received.kind is Kind.ASSOCIATE_RJ:
        rejected = decode_reject(received.body)
        raise Rejected(rejected.result, rejected.source, rejected.reason)
    if received.kind is Kind.ABORT:
        raise AssociationEnded("aborted by the peer")
    if received.kind is not Kind.ASSOCIATE_AC:
        raise ProtocolError(
            f"{received.kind.name} in answer to an association request", AbortReason.UNEXPECTED_PDU
        )
    return received.body
