"""Free loopback ports, below the range the system hands out by itself.

The archive's listeners share ports (SO_REUSEPORT), so a clash would not be noticed, and a server that
is to be killed and revived must find its port free again: a port belongs to the process of tests that
took it until that ends. A lock on one byte of a file says so, which the kernel lets go of.
"""

import fcntl
import os
import socket
import tempfile
import threading
from pathlib import Path

_FIRST, _LAST = 10_000, 32_000
_lock = threading.Lock()
_taken: set[int] = set()
_at = os.getpid() * 20
_file = os.open(Path(tempfile.gettempdir()) / "hilum-test-ports", os.O_RDWR | os.O_CREAT, 0o666)


def free_port() -> int:
    global _at  # noqa: PLW0603 - where to look next
    with _lock:
        for _ in range(_LAST - _FIRST):
            port = _FIRST + _at % (_LAST - _FIRST)
            _at += 1
            if port not in _taken and _reserve(port) and _is_free(port):
                _taken.add(port)
                return port
    raise RuntimeError("no free port on loopback")


def _reserve(port: int) -> bool:
    try:
        fcntl.lockf(_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
