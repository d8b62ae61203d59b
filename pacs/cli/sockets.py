"""Listening sockets, bound before anything starts: a port in use is told at once, and the queue
of waiting callers outlives the process that answers them."""

import errno
import socket

from pacs.errors import Invalid, Unavailable

_BACKLOG = 512
_REASONS = {
    errno.EADDRINUSE: ("is in use", "is another pacs running? Choose another port with --{flag} HOST:PORT"),
    errno.EACCES: ("may not be used by this user", "ports below 1024 need a right; choose a higher one"),
    errno.EADDRNOTAVAIL: ("is not an address of this machine", "0.0.0.0 stands for all of them"),
}


def listen(host: str, port: int, flag: str) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. `flag` names the option in hints."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:  # UnicodeError: no host name can be spelled so
        raise Invalid(f"{host} cannot be resolved ({error})", hint=f"check --{flag}") from error
    sock = socket.socket(family, kind, protocol)
    try:
        # Restarting must not wait for the last connections' TIME_WAIT.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        what, hint = _REASONS.get(error.errno or 0, (f"cannot be listened on ({error.strerror})", ""))
        raise Unavailable(f"{at(host, port)} {what}", hint=hint.format(flag=flag)) from error
    return sock


def at(host: str, port: int) -> str:
    """HOST:PORT, with the brackets an IPv6 address needs (RFC 3986 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse(text: str, flag: str) -> tuple[str, str]:
    """Host and port as typed: `HOST:PORT`, `[IPV6]:PORT`, or a port alone (empty host)."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], port
    if not port.isdecimal() or (colon and not host) or ":" in host:
        raise Invalid(
            f"--{flag} must be HOST:PORT, not {text!r}", hint="for example 127.0.0.1:8080 or [::1]:8080"
        )
    return host, port
