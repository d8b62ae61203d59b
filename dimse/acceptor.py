"""Answering an association request (PS3.8 7.1, 9.2)."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dimse import contexts
from dimse.associate import (
    APPLICATION_CONTEXT,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    decode_request,
    encode_accept,
    encode_reject,
)
from dimse.errors import AbortReason, AssociationEnded, ProtocolError
from dimse.pdu import Kind
from dimse.upper_layer import Association, Parties, abort
from dimse.userinfo import ONE_AT_A_TIME
from dimse.wire import Wire
from pacs import clock, log

# PS3.8 Table 9-21: result, source, reason.
NO_REASON: Final = AssociateReject(1, 1, 1)
APPLICATION_CONTEXT_NOT_SUPPORTED: Final = AssociateReject(1, 1, 2)
CALLING_AET_NOT_RECOGNIZED: Final = AssociateReject(1, 1, 3)
CALLED_AET_NOT_RECOGNIZED: Final = AssociateReject(1, 1, 7)
PROTOCOL_VERSION_NOT_SUPPORTED: Final = AssociateReject(1, 2, 2)
LOCAL_LIMIT_EXCEEDED: Final = AssociateReject(2, 3, 2)

_log = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms associations are accepted."""

    max_length: int
    acse_timeout: float
    idle_timeout: float
    unknown_sop_classes: bool = False
    writable: frozenset[str] = frozenset()
    preferred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Welcome:
    """Let in. `identity_answer` is what the caller hears of its user identity (PS3.7 D.3.3.7);
    `preferred` are the transfer syntaxes wanted of it, if others than of everybody."""

    identity_answer: bytes | None = None
    preferred: tuple[str, ...] = ()


Doorman = Callable[[AssociateRequest], AssociateReject | Welcome]


def accept(sock: socket.socket, address: str, terms: Terms, doorman: Doorman) -> Association | None:
    """Read a request and answer it; None when nothing came of it, and the socket is closed.

    `doorman` decides who gets in; what PS3.8 itself demands is checked before it is asked."""
    wire = Wire(sock, max_length=terms.max_length, timeout=terms.acse_timeout)
    try:
        return _negotiate(wire, address, terms, doorman)
    except ProtocolError as error:
        _log.info("no association from=%s reason=%s", address, error)
        abort(wire, error.reason, terms.acse_timeout)
    except AssociationEnded as error:
        _log.info("no association from=%s reason=%s", address, error)
        wire.close()
    return None


def _negotiate(wire: Wire, address: str, terms: Terms, doorman: Doorman) -> Association | None:
    # The ARTIM timer runs from the connection to the whole request (PS3.8 9.2.3, AE-5).
    received = wire.read(deadline=clock.monotonic() + terms.acse_timeout)
    if received.kind is Kind.ABORT:
        raise AssociationEnded("aborted by the peer before it asked for anything")
    if received.kind is not Kind.ASSOCIATE_RQ:
        raise ProtocolError(f"{received.kind.name} before an association", AbortReason.UNEXPECTED_PDU)
    request = decode_request(received.body)
    verdict = _form(request) or doorman(request)
    if isinstance(verdict, Welcome):
        return _establish(wire, address, terms, request, verdict)
    _log.info(
        "rejected calling=%s called=%s from=%s reason=%d/%d/%d",
        *(request.calling_aet, request.called_aet, address),
        *(verdict.result, verdict.source, verdict.reason),
    )
    wire.send([encode_reject(verdict)])
    wire.finish(terms.acse_timeout)
    return None


def _form(request: AssociateRequest) -> AssociateReject | None:
    if not request.protocol_version & 1:
        return PROTOCOL_VERSION_NOT_SUPPORTED
    if request.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_NOT_SUPPORTED
    if not request.contexts:
        return NO_REASON
    return None


def _establish(
    wire: Wire, address: str, terms: Terms, request: AssociateRequest, welcome: Welcome
) -> Association:
    agreed = contexts.negotiate(
        request,
        unknown_sop_classes=terms.unknown_sop_classes,
        writable=terms.writable,
        preferred=welcome.preferred or terms.preferred,
    )
    accept = AssociateAccept(
        request.called_aet,
        request.calling_aet,
        agreed.answers,
        terms.max_length,
        agreed.roles,
        window=None if request.window is None else ONE_AT_A_TIME,
        extended=agreed.extended,
        identity_answer=welcome.identity_answer,
    )
    association = Association(
        wire,
        Parties(request.calling_aet, request.called_aet, address),
        agreed.accepted,
        peer_max_length=request.max_length,
        closing_timeout=terms.acse_timeout,
    )
    wire.send([encode_accept(accept)])
    wire.set_timeout(terms.idle_timeout)
    return association
