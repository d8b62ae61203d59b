"""Messages between the worker and the process of a plugin, over a socket pair.

One message is two lengths (big endian, 32 bits), a JSON object of the first length and bytes of the
second: float32 pixels, little endian, row by row.

worker to plugin: {"do": "read", "study", "seconds"}, {"picture": {...}} with pixels, {"end": true}
plugin to worker: {"say": "ready"}, {"say": "begin", "rows", "columns"}, {"say": "next"},
                  {"say": "answer", ...}, {"say": "failed", "what", "reason", "hint"}
"""

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

LONGEST_JSON: Final = 1 << 20
LONGEST_PIXELS: Final = 1 << 28

_HEAD: Final = struct.Struct(">II")
_PIECE: Final = 1 << 20

Message = Mapping[str, Any]


class Broken(Exception):
    """The other side is gone or does not keep to the protocol."""


class Late(Exception):
    """The other side has not answered in time."""


class Wire:
    """One end. `until` is a moment of time.monotonic(); None waits for ever."""

    def __init__(self, end: socket.socket, *, most_pixels: int = 0) -> None:
        self._end = end
        self._most_pixels = most_pixels
        self.until: float | None = None

    def send(self, message: Message, pixels: bytes | memoryview = b"") -> None:
        """Raises Broken, Late."""
        text = json.dumps(message).encode()
        try:
            self._wait()
            self._end.sendall(_HEAD.pack(len(text), len(pixels)) + text)
            if len(pixels):
                self._wait()
                self._end.sendall(pixels)
        except TimeoutError as error:
            raise Late from error
        except OSError as error:
            raise Broken from error

    def receive(self) -> tuple[Message, bytearray]:
        """Raises Broken, Late."""
        text_length, length = _HEAD.unpack(self._exactly(_HEAD.size))
        if text_length > LONGEST_JSON or length > self._most_pixels:
            raise Broken
        text, pixels = self._exactly(text_length), self._exactly(length)
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Broken from error
        if not isinstance(message, dict):
            raise Broken
        return message, pixels

    def close(self) -> None:
        self._end.close()

    def _exactly(self, count: int) -> bytearray:
        found = bytearray(count)
        view = memoryview(found)
        while view:
            try:
                self._wait()
                got = self._end.recv_into(view[:_PIECE])
            except TimeoutError as error:
                raise Late from error
            except OSError as error:
                raise Broken from error
            if not got:
                raise Broken
            view = view[got:]
        return found

    def _wait(self) -> None:
        """Let the next call on the socket take no longer than is left."""
        if self.until is None:
            self._end.settimeout(None)
            return
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._end.settimeout(left)
