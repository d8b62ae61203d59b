"""A-ASSOCIATE-RQ, -AC and -RJ as values, to and from bytes (PS3.8 9.3.2-9.3.4, PS3.7 D.3.3).

Items and sub-items that are not known here are stepped over, as PS3.8 9.3.1 asks.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dimse import userinfo
from dimse.errors import ProtocolError
from dimse.pdu import Kind
from dimse.userinfo import Extension, Identity, Role, UserInformation, Window, item, items, text, uid
from pacs.dicom import uids

__all__ = [
    "APPLICATION_CONTEXT",
    "Answered",
    "AssociateAccept",
    "AssociateReject",
    "AssociateRequest",
    "Proposed",
    "Role",
    "decode_accept",
    "decode_reject",
    "decode_request",
    "encode_accept",
    "encode_reject",
    "encode_request",
]

APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
_FIXED_PART: Final = 68  # protocol version, reserved, two AE titles, reserved

_APPLICATION, _CONTEXT_RQ, _CONTEXT_AC, _USER = 0x10, 0x20, 0x21, 0x50
_ABSTRACT, _TRANSFER = 0x30, 0x40


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context as the requestor proposes it (PS3.8 9.3.2.2)."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What the acceptor makes of it (PS3.8 9.3.3.2): `result` 0 is acceptance."""

    id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    called_aet: str
    calling_aet: str
    contexts: tuple[Proposed, ...]
    max_length: int
    roles: tuple[Role, ...] = ()
    application_context: str = APPLICATION_CONTEXT
    protocol_version: int = 1
    implementation: str = uids.IMPLEMENTATION_VERSION
    window: Window | None = None
    extended: tuple[Extension, ...] = ()
    identity: Identity | None = None

    @property
    def user(self) -> UserInformation:
        return UserInformation(
            self.max_length, self.roles, self.implementation, self.window, self.extended, self.identity
        )


@dataclass(frozen=True, slots=True)
class AssociateAccept:
    called_aet: str
    calling_aet: str
    contexts: tuple[Answered, ...]
    max_length: int
    roles: tuple[Role, ...] = ()
    implementation: str = uids.IMPLEMENTATION_VERSION
    window: Window | None = None
    extended: tuple[Extension, ...] = ()
    identity_answer: bytes | None = None

    @property
    def user(self) -> UserInformation:
        return UserInformation(
            self.max_length,
            self.roles,
            self.implementation,
            self.window,
            self.extended,
            identity_answer=self.identity_answer,
        )


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """PS3.8 Table 9-21."""

    result: int
    source: int
    reason: int


def encode_request(request: AssociateRequest) -> bytes:
    contexts = (
        item(
            _CONTEXT_RQ,
            struct.pack(">B3x", c.id)
            + text(_ABSTRACT, c.abstract_syntax)
            + b"".join(text(_TRANSFER, t) for t in c.transfer_syntaxes),
        )
        for c in request.contexts
    )
    return _associate(Kind.ASSOCIATE_RQ, request, contexts)


def encode_accept(accept: AssociateAccept) -> bytes:
    contexts = (
        item(_CONTEXT_AC, struct.pack(">BxBx", c.id, c.result) + text(_TRANSFER, c.transfer_syntax))
        for c in accept.contexts
    )
    return _associate(Kind.ASSOCIATE_AC, accept, contexts)


def encode_reject(reject: AssociateReject) -> bytes:
    return struct.pack(">BBIxBBB", Kind.ASSOCIATE_RJ, 0, 4, reject.result, reject.source, reject.reason)


def _associate(kind: Kind, pdu: AssociateRequest | AssociateAccept, contexts: Iterable[bytes]) -> bytes:
    body = b"".join(
        (
            struct.pack(">H2x16s16s32x", 1, _title(pdu.called_aet), _title(pdu.calling_aet)),
            text(_APPLICATION, APPLICATION_CONTEXT),
            *contexts,
            item(_USER, userinfo.encode(pdu.user)),
        )
    )
    return struct.pack(">BBI", kind, 0, len(body)) + body


def _title(aet: str) -> bytes:
    return aet.encode("latin-1", "replace")[:16].ljust(16)


def decode_request(body: memoryview) -> AssociateRequest:
    """Raises ProtocolError."""
    version, called, calling = _fixed_part(body)
    application, user = "", UserInformation(implementation="")
    contexts: list[Proposed] = []
    for kind, data in items(body, _FIXED_PART):
        if kind == _APPLICATION:
            application = uid(data)
        elif kind == _CONTEXT_RQ:
            contexts.append(_decode_proposed(data))
        elif kind == _USER:
            user = userinfo.decode(data)
    if len({c.id for c in contexts}) != len(contexts):
        raise ProtocolError("two presentation contexts with the same ID")
    return AssociateRequest(
        called,
        calling,
        tuple(contexts),
        user.max_length,
        user.roles,
        application,
        version,
        user.implementation,
        user.window,
        user.extended,
        user.identity,
    )


def decode_accept(body: memoryview) -> AssociateAccept:
    """Raises ProtocolError."""
    _, called, calling = _fixed_part(body)
    user = UserInformation(implementation="")
    contexts: list[Answered] = []
    for kind, data in items(body, _FIXED_PART):
        if kind == _CONTEXT_AC:
            contexts.append(_decode_answered(data))
        elif kind == _USER:
            user = userinfo.decode(data)
    return AssociateAccept(
        called,
        calling,
        tuple(contexts),
        user.max_length,
        user.roles,
        user.implementation,
        user.window,
        user.extended,
        user.identity_answer,
    )


def decode_reject(body: memoryview) -> AssociateReject:
    """Raises ProtocolError."""
    if len(body) != 4:
        raise ProtocolError("A-ASSOCIATE-RJ of a wrong length")
    return AssociateReject(body[1], body[2], body[3])


def _fixed_part(body: memoryview) -> tuple[int, str, str]:
    if len(body) < _FIXED_PART:
        raise ProtocolError("A-ASSOCIATE PDU shorter than its fixed part")
    version, called, calling = struct.unpack_from(">H2x16s16s", body)
    return version, _decode_title(called), _decode_title(calling)


def _decode_proposed(data: memoryview) -> Proposed:
    context_id = _context_id(data)
    abstract, transfer = "", []
    for kind, value in items(data, 4):
        if kind == _ABSTRACT:
            abstract = uid(value)
        elif kind == _TRANSFER:
            transfer.append(uid(value))
    return Proposed(context_id, abstract, tuple(transfer))


def _decode_answered(data: memoryview) -> Answered:
    context_id = _context_id(data)
    transfer = ""
    for kind, value in items(data, 4):
        if kind == _TRANSFER:
            transfer = uid(value)
    return Answered(context_id, data[2], transfer)


def _context_id(data: memoryview) -> int:
    if len(data) < 4:
        raise ProtocolError("presentation context item shorter than its fixed part")
    if data[0] % 2 == 0:
        raise ProtocolError(f"presentation context ID {data[0]} is not odd")  # PS3.8 9.3.2.2
    return data[0]


def _decode_title(raw: bytes) -> str:
    """Leading and trailing spaces do not count (PS3.8 9.3.2); some pad with zeros, and with what lay
    behind them in their memory. What is no character of a title (PS3.5 6.2) stays one nowhere."""
    text = raw.decode("latin-1").lstrip("\0 ").partition("\0")[0].rstrip(" ")
    return "".join(char if char.isprintable() and char != "\\" else "?" for char in text)
