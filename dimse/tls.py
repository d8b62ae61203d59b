"""Transport Layer Security for associations (PS3.15 B.9 to B.12, the profiles after BCP 195): TLS 1.2 and
above, forward secrecy, authenticated encryption.

A certificate is checked against the configured authorities and not against host names, for stations are
called by their addresses; with none configured, against the system's and by name.
"""

import contextlib
import select
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

from dimse import certificate
from dimse.errors import AssociationEnded, TimedOut
from pacs import clock, log
from pacs.config import TlsConfig
from pacs.errors import Unavailable

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!DSS"  # of TLS 1.2; all of TLS 1.3 are good
_HANDSHAKE: Final = 0x16  # the first byte of a TLS client (RFC 8446 5.1), and of no PDU
_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_log = log.get(__name__)


class SecureSocket(ssl.SSLSocket):
    """What `dimse.wire` needs of a socket, encrypted."""

    def sendmsg(self, buffers: Iterable[bytes | memoryview], *_: Any) -> int:  # type: ignore[override] # ssl's own only refuses
        """One record stream of all buffers; small ones would otherwise travel alone."""
        return self.send(b"".join(buffers))

    def shutdown(self, how: int) -> None:
        """Ends the connection below, which ssl's own would go on with unencrypted; says so first
        (close_notify) where only our side ends, without waiting for the peer to say the same."""
        if how == socket.SHUT_WR:
            self.settimeout(0)
            with contextlib.suppress(OSError, ValueError):
                self.unwrap()
        socket.socket.shutdown(self, how)


@cache
def server_context(config: TlsConfig) -> ssl.SSLContext:
    """Raises Unavailable when there is no usable certificate."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, config)
    context.verify_mode = _VERIFY[config.client]
    if config.client != "none":
        _trust(context, config.ca)
    return context


@cache
def client_context(config: TlsConfig) -> ssl.SSLContext:
    """For calls of ours. Raises Unavailable when what is configured cannot be used."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, config)
    if config.ca:
        context.check_hostname = False
        _trust(context, config.ca)
    else:
        context.load_default_certs()
    return context


def accepted(sock: socket.socket, config: TlsConfig, seconds: float) -> socket.socket:
    """The caller's socket behind the handshake; as it is where a caller without TLS may be let in.

    Raises AssociationEnded; the socket is closed then."""
    deadline = clock.monotonic() + seconds
    try:
        if not _begins_tls(sock, seconds, config):
            return sock
        context = server_context(config)
        secure = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return _shaken(secure, deadline)
    except (AssociationEnded, Unavailable):
        sock.close()
        raise
    except OSError as error:
        sock.close()
        raise AssociationEnded(f"no TLS with the caller: {_reason(error)}") from error


def called(sock: socket.socket, config: TlsConfig, host: str, seconds: float) -> socket.socket:
    """Our call's socket behind the handshake. Raises AssociationEnded; the socket is closed then."""
    try:
        context = client_context(config)
        secure = context.wrap_socket(sock, do_handshake_on_connect=False, server_hostname=host)
        return _shaken(secure, clock.monotonic() + seconds)
    except Unavailable as error:
        sock.close()
        raise AssociationEnded(str(error)) from error
    except OSError as error:
        sock.close()
        raise AssociationEnded(f"no TLS with {host}: {_reason(error)}") from error


def _context(protocol: int, config: TlsConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.sslsocket_class = SecureSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if config.certificate:
        _identify(context, config)
    return context


def _identify(context: ssl.SSLContext, config: TlsConfig) -> None:
    try:
        context.load_cert_chain(config.certificate, config.key or None, password=_no_password)
        trouble = certificate.trouble(Path(config.certificate))
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"the TLS certificate {config.certificate} cannot be used: {_reason(error)}",
            hint="[dimse.tls] names a PEM file with the certificate and its chain, and one with its key "
            "without a password",
        ) from error
    if trouble:
        _log.warning("the TLS certificate %s %s", config.certificate, trouble)


def _no_password() -> str:
    raise ValueError("the key has a password")


def _trust(context: ssl.SSLContext, ca: str) -> None:
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        raise Unavailable(
            f"the authorities in {ca} cannot be read: {_reason(error)}",
            hint="[dimse.tls] ca names a PEM file of certificates",
        ) from error


def _begins_tls(sock: socket.socket, seconds: float, config: TlsConfig) -> bool:
    """Raises AssociationEnded for a caller that does not where everybody must."""
    sock.settimeout(seconds)
    begins = sock.recv(1, socket.MSG_PEEK) == bytes((_HANDSHAKE,))
    if config.required and not begins:
        raise AssociationEnded("the caller does not speak TLS")
    return begins


def _shaken(sock: ssl.SSLSocket, deadline: float) -> ssl.SSLSocket:
    """After the handshake, all of it before the deadline. Raises TimedOut and OSError."""
    sock.settimeout(0)
    try:
        while True:
            try:
                sock.do_handshake()
            except ssl.SSLWantReadError:
                _wait(sock, select.POLLIN, deadline)
            except ssl.SSLWantWriteError:
                _wait(sock, select.POLLOUT, deadline)
            else:
                return sock
    except BaseException:
        sock.close()
        raise


def _wait(sock: socket.socket, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(max(deadline - clock.monotonic(), 0) * 1000):
        raise TimedOut("the TLS handshake takes too long")


def _reason(error: Exception) -> str:
    """In words; what OpenSSL says of a certificate is the part that helps."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the other side's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return str(getattr(error, "strerror", None) or error)
