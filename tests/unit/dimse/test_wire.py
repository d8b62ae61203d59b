"""What every connection is set to, whoever opened it."""

import socket

import pytest

from dimse.errors import TimedOut
from dimse.wire import Wire


def test_nothing_is_held_back_and_a_dead_peer_is_noticed() -> None:
    """Without the first every small exchange would wait 40 ms for an acknowledgement."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calling = socket.create_connection(server.getsockname())
        called, _ = server.accept()
        for sock in (calling, called):
            assert not sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            wire = Wire(sock, max_length=4096, timeout=0.05)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            with pytest.raises(TimedOut, match="silent"):
                wire.read()
        calling.close()
        called.close()
