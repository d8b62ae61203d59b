"""Command sets (PS3.7 6.3, E.1): group 0000 in Implicit VR Little Endian, to and from values."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from dimse.errors import ProtocolError

NO_DATASET: Final = 0x0101  # Command Data Set Type (PS3.7 E.1): any other value says there is one
HAS_DATASET: Final = 0x0001
RESPONSE: Final = 0x8000
MAX_SIZE: Final = 65_536


class Operation(IntEnum):
    """Command Field of a request (PS3.7 E.1)."""

    C_STORE = 0x0001
    C_GET = 0x0010
    C_FIND = 0x0020
    C_MOVE = 0x0021
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_GET = 0x0110
    N_SET = 0x0120
    N_ACTION = 0x0130
    N_CREATE = 0x0140
    N_DELETE = 0x0150
    C_CANCEL = 0x0FFF


@dataclass(frozen=True, slots=True)
class Command:
    """The elements of a command set; None or empty where the message has none."""

    field: int
    message_id: int | None = None
    responded_to: int | None = None
    sop_class: str = ""
    sop_instance: str = ""
    requested_sop_class: str = ""
    requested_sop_instance: str = ""
    move_destination: str = ""
    priority: int | None = None
    dataset_type: int = NO_DATASET
    status: int | None = None
    offending_elements: tuple[int, ...] = ()
    error_comment: str = ""
    error_id: int | None = None
    remaining: int | None = None
    completed: int | None = None
    failed: int | None = None
    warning: int | None = None
    originator_aet: str = ""
    originator_message_id: int | None = None
    event_type: int | None = None
    attributes: tuple[int, ...] = ()
    action_type: int | None = None

    @property
    def has_dataset(self) -> bool:
        return self.dataset_type != NO_DATASET

    @property
    def is_response(self) -> bool:
        return bool(self.field & RESPONSE)


# Element number to field and VR, in the order of the wire (PS3.7 Table E.1-1).
_ELEMENTS: Final[dict[int, tuple[str, str]]] = {
    0x0002: ("sop_class", "UI"),
    0x0003: ("requested_sop_class", "UI"),
    0x0100: ("field", "US"),
    0x0110: ("message_id", "US"),
    0x0120: ("responded_to", "US"),
    0x0600: ("move_destination", "AE"),
    0x0700: ("priority", "US"),
    0x0800: ("dataset_type", "US"),
    0x0900: ("status", "US"),
    0x0901: ("offending_elements", "AT"),
    0x0902: ("error_comment", "LO"),
    0x0903: ("error_id", "US"),
    0x1000: ("sop_instance", "UI"),
    0x1001: ("requested_sop_instance", "UI"),
    0x1002: ("event_type", "US"),
    0x1005: ("attributes", "AT"),
    0x1008: ("action_type", "US"),
    0x1020: ("remaining", "US"),
    0x1021: ("completed", "US"),
    0x1022: ("failed", "US"),
    0x1023: ("warning", "US"),
    0x1030: ("originator_aet", "AE"),
    0x1031: ("originator_message_id", "US"),
}


def encode(command: Command) -> bytes:
    parts = []
    for number, (name, vr) in _ELEMENTS.items():
        value = getattr(command, name)
        if value is None or value in ("", ()):
            continue
        raw = _encode_value(vr, value)
        parts.append(struct.pack("<HHI", 0, number, len(raw)) + raw)
    body = b"".join(parts)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def decode(data: bytes | bytearray | memoryview) -> Command:
    """Raises ProtocolError. Elements that are not in the table are stepped over."""
    found: dict[str, Any] = {}
    pos, end = 0, len(data)
    while pos < end:
        if pos + 8 > end:
            raise ProtocolError("command set ends inside an element")
        group, number, length = struct.unpack_from("<HHI", data, pos)
        pos += 8 + length
        if pos > end:
            raise ProtocolError("command element reaches beyond the end of the command set")
        entry = _ELEMENTS.get(number) if group == 0 else None
        if entry is not None:
            found[entry[0]] = _decode_value(entry[1], bytes(data[pos - length : pos]))
    if found.get("field") is None:
        raise ProtocolError("command set without a Command Field")
    if found.get("dataset_type", 0) is None:
        found.pop("dataset_type")
    return Command(**found)


def _encode_value(vr: str, value: Any) -> bytes:
    if vr == "US":
        # Counters beyond 65535 stay there: PS3.7 E.1 leaves them two bytes.
        return struct.pack("<H", min(int(value), 0xFFFF))
    if vr == "AT":
        return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in value)
    raw = str(value).encode("ascii", "replace")
    return raw if len(raw) % 2 == 0 else raw + (b"\0" if vr == "UI" else b" ")


def _decode_value(vr: str, raw: bytes) -> int | str | tuple[int, ...] | None:
    if vr == "US":
        if len(raw) not in {0, 2}:
            raise ProtocolError(f"command element of VR US with {len(raw)} bytes")
        return int.from_bytes(raw, "little") if raw else None
    if vr == "AT":
        if len(raw) % 4:
            raise ProtocolError(f"command element of VR AT with {len(raw)} bytes")
        return tuple(group << 16 | element for group, element in struct.iter_unpack("<HH", raw))
    return raw.decode("latin-1").strip("\0 ")
