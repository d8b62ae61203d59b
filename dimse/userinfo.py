"""User information of an association request and its answer (PS3.7 D.3.3), to and from bytes.

Sub-items that are not known here are stepped over, as PS3.8 9.3.1 asks.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from dimse.errors import ProtocolError
from pacs.dicom import uids

_MAX_LENGTH, _CLASS_UID, _WINDOW, _ROLE, _VERSION = 0x51, 0x52, 0x53, 0x54, 0x55
_EXTENDED, _IDENTITY, _IDENTITY_ANSWER = 0x56, 0x58, 0x59


@dataclass(frozen=True, slots=True)
class Role:
    """SCP/SCU role selection (D.3.3.4): which roles the requestor may take."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Asynchronous operations window (D.3.3.3): how many may be outstanding; 0 is any number."""

    invoked: int
    performed: int


ONE_AT_A_TIME: Final = Window(1, 1)


@dataclass(frozen=True, slots=True)
class Extension:
    """SOP class extended negotiation (D.3.3.5); `info` is the service class's own."""

    sop_class: str
    info: bytes


class IdentityKind(IntEnum):
    """User-Identity-Type (Table D.3-14); others are kept as their number."""

    USERNAME = 1
    PASSCODE = 2
    KERBEROS = 3
    SAML = 4
    JWT = 5


@dataclass(frozen=True, slots=True)
class Identity:
    """User identity (D.3.3.7). What it holds opens doors, so it is never shown."""

    kind: int
    primary: bytes = field(repr=False)
    secondary: bytes = field(default=b"", repr=False)
    wants_answer: bool = False


@dataclass(frozen=True, slots=True)
class UserInformation:
    """`identity_answer` is what an acceptor says to the identity; None when it says nothing."""

    max_length: int = 0
    roles: tuple[Role, ...] = ()
    implementation: str = uids.IMPLEMENTATION_VERSION
    window: Window | None = None
    extended: tuple[Extension, ...] = ()
    identity: Identity | None = None
    identity_answer: bytes | None = None


def encode(user: UserInformation) -> bytes:
    return b"".join(_sub_items(user))


def decode(data: memoryview) -> UserInformation:
    """Raises ProtocolError. Of what may stand there once the first counts."""
    roles: list[Role] = []
    extended: list[Extension] = []
    single: dict[int, memoryview] = {}
    for kind, value in items(data, 0):
        if kind == _ROLE:
            roles.append(_decode_role(value))
        elif kind == _EXTENDED:
            extended.append(_decode_extension(value))
        else:
            single.setdefault(kind, value)
    return UserInformation(
        int.from_bytes(_exactly(single.get(_MAX_LENGTH), 4), "big"),
        tuple(roles),
        uid(single.get(_VERSION, memoryview(b""))),
        _decode_window(single.get(_WINDOW)),
        tuple(extended),
        _decode_identity(single.get(_IDENTITY)),
        _decode_identity_answer(single.get(_IDENTITY_ANSWER)),
    )


def item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(body)) + body


def text(kind: int, value: str) -> bytes:
    return item(kind, value.encode("ascii"))


def items(data: memoryview, pos: int) -> Iterator[tuple[int, memoryview]]:
    """Items or sub-items from `pos` on. Raises ProtocolError."""
    while pos < len(data):
        if pos + 4 > len(data):
            raise ProtocolError("A-ASSOCIATE PDU ends inside an item")
        kind, length = struct.unpack_from(">BxH", data, pos)
        pos += 4 + length
        if pos > len(data):
            raise ProtocolError(f"item {kind:02X} reaches beyond the end of what holds it")
        yield kind, data[pos - length : pos]


def uid(value: memoryview) -> str:
    return bytes(value).decode("latin-1").strip("\0 ")


def _sub_items(user: UserInformation) -> Iterator[bytes]:
    yield item(_MAX_LENGTH, struct.pack(">I", user.max_length))
    yield text(_CLASS_UID, uids.IMPLEMENTATION_CLASS)
    if user.window is not None:
        yield item(_WINDOW, struct.pack(">HH", user.window.invoked, user.window.performed))
    for role in user.roles:
        yield item(_ROLE, _counted(role.sop_class.encode("ascii")) + bytes((role.scu, role.scp)))
    yield text(_VERSION, user.implementation)
    for one in user.extended:
        yield item(_EXTENDED, _counted(one.sop_class.encode("ascii")) + one.info)
    if user.identity is not None:
        yield item(_IDENTITY, _encode_identity(user.identity))
    if user.identity_answer is not None:
        yield item(_IDENTITY_ANSWER, _counted(user.identity_answer))


def _encode_identity(identity: Identity) -> bytes:
    head = bytes((identity.kind, identity.wants_answer))
    return head + _counted(identity.primary) + _counted(identity.secondary)


def _counted(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def _take(value: memoryview, pos: int, what: str) -> tuple[memoryview, int]:
    """A field behind its own two bytes of length."""
    if pos + 2 > len(value):
        raise ProtocolError(f"{what} ends before its length")
    stop = pos + 2 + int.from_bytes(value[pos : pos + 2], "big")
    if stop > len(value):
        raise ProtocolError(f"{what} of a wrong length")
    return value[pos + 2 : stop], stop


def _exactly(value: memoryview | None, size: int) -> bytes:
    """The value if it has this size; nothing else can be made of it."""
    return bytes(value) if value is not None and len(value) == size else b""


def _decode_role(value: memoryview) -> Role:
    sop_class, pos = _take(value, 0, "SCP/SCU role selection")
    if len(value) != pos + 2:
        raise ProtocolError("SCP/SCU role selection of a wrong length")
    return Role(uid(sop_class), value[pos] == 1, value[pos + 1] == 1)


def _decode_extension(value: memoryview) -> Extension:
    sop_class, pos = _take(value, 0, "SOP class extended negotiation")
    return Extension(uid(sop_class), bytes(value[pos:]))


def _decode_window(value: memoryview | None) -> Window | None:
    raw = _exactly(value, 4)
    return Window(*struct.unpack(">HH", raw)) if raw else None


def _decode_identity(value: memoryview | None) -> Identity | None:
    if value is None:
        return None
    if len(value) < 2:
        raise ProtocolError("user identity shorter than its fixed part")
    primary, pos = _take(value, 2, "user identity")
    # Some leave the length of the second field away where there is none.
    secondary = _take(value, pos, "user identity")[0] if pos < len(value) else memoryview(b"")
    return Identity(value[0], bytes(primary), bytes(secondary), value[1] == 1)


def _decode_identity_answer(value: memoryview | None) -> bytes | None:
    return None if value is None else bytes(_take(value, 0, "user identity answer")[0])
