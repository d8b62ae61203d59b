"""Free loopback ports, below the range the system hands out by itself.

The archive's listeners share ports (SO_REUSEPORT), so a clash would not be noticed: each test
process walks a range of its own.
"""

import itertools
import os
import socket

_SLOTS = 1100
_WIDTH = 20
_next = itertools.count()


def free_port() -> int:
    first = 10_000 + (os.getpid() % _SLOTS) * _WIDTH
    for _ in range(_SLOTS * _WIDTH):
        port = 10_000 + (first - 10_000 + next(_next)) % (_SLOTS * _WIDTH)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port on loopback")
