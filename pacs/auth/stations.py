"""Known stations: an AE title calling from the address configured for it."""

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pacs import clock, log
from pacs.config import Peer

REMEMBERED_SECONDS: Final = 60.0
_log = log.get(__name__)


def resolve(host: str) -> frozenset[str]:
    """Every address a host name stands for; an address stands for itself. Raises OSError."""
    try:
        return frozenset({canonical(host)})
    except ValueError:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return frozenset(canonical(str(entry[4][0])) for entry in found)


def canonical(address: str) -> str:
    """One spelling per address: an IPv4 caller on an IPv6 socket appears as ::ffff:10.0.0.1."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


@dataclass(frozen=True, slots=True)
class _Answer:
    addresses: frozenset[str]
    until: float


class Stations:
    """The configured peers, with their host names resolved and remembered for a minute.
    Thread-safe: two threads resolving the same name at once only ask twice."""

    def __init__(
        self,
        peers: Mapping[str, Peer],
        *,
        resolver: Callable[[str], frozenset[str]] = resolve,
        now: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._peers = peers
        self._resolver = resolver
        self._now = now
        self._answers: dict[str, _Answer] = {}

    def find(self, calling_aet: str, address: str) -> Peer | None:
        """The peer of this title, if the call comes from its address.

        Leading and trailing spaces of a title do not count (PS3.5 6.2, PS3.8 9.3.2). Case does:
        the standard folds nothing, so CT1 and ct1 are two stations."""
        peer = self._peers.get(calling_aet.strip(" "))
        if peer is None:
            return None
        try:
            caller = canonical(address)
        except ValueError:
            return None
        return peer if caller in self._addresses(peer.host) else None

    def _addresses(self, host: str) -> frozenset[str]:
        known = self._answers.get(host)
        if known is not None and self._now() < known.until:
            return known.addresses
        try:
            addresses = self._resolver(host)
        except (OSError, UnicodeError) as error:  # UnicodeError: no host name can be spelled so
            _log.warning("peer address not resolved host=%s reason=%s", host, error)
            # A name server that is away for a moment must not shut out a modality it knew before.
            addresses = known.addresses if known is not None else frozenset()
        self._answers[host] = _Answer(addresses, self._now() + REMEMBERED_SECONDS)
        return addresses
