"""The way to the broker: its address, and how it fails."""

from kombu import Connection
from kombu.exceptions import OperationalError


def address(url: str) -> str:
    """As configured; over TLS the broker has to prove who it is unless the address says otherwise,
    which to kombu is not so."""
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


def troubles(connection: Connection) -> tuple[type[Exception], ...]:
    """What may be raised when it is away, full or does not know us."""
    return (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
