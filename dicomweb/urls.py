"""Where the archive is, seen from outside: the base of every URL we emit, and who really asks.

A proxy's word (RFC 7239 Forwarded, X-Forwarded-*) counts only when the proxy is a trusted one, and
then only the part that a trusted hop wrote.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

from dicomweb.media import parse_media_type
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid

PREFIX = "/dicom-web"
_REMEMBERED: Final = 1024

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Outside:
    """How the caller addressed us. `base` has no slash at its end."""

    base: str
    origin: str

    @property
    def dicomweb(self) -> str:
        return self.base + PREFIX

    @property
    def path(self) -> str:
        """What a proxy put before our own paths; mostly nothing."""
        return urlsplit(self.base).path

    def study(self, study: str) -> str:
        return f"{self.dicomweb}/studies/{study}"

    def series(self, study: str, series: str) -> str:
        return f"{self.study(study)}/series/{series}"

    def instance(self, key: InstanceKey) -> str:
        return f"{self.series(key.study, key.series)}/instances/{key.instance}"

    def orders(self, query: str = "") -> str:
        return f"{self.base}/api/orders" + (f"?{query}" if query else "")

    def order(self, number: int) -> str:
        return f"{self.orders()}/{number}"

    def workitem(self, workitem: str) -> str:
        return f"{self.dicomweb}/workitems/{workitem}"

    def subscriber(self, aet: str) -> str:
        """Of its WebSocket (PS3.18 11.10.3.2)."""
        return f"ws{self.dicomweb.removeprefix('http')}/subscribers/{quote(aet, safe='')}"

    def bulkdata(self, key: InstanceKey) -> str:
        return f"{self.instance(key)}/bulkdata"


class Proxies:
    """The addresses and networks whose forwarding headers are believed."""

    def __init__(self, trusted: Iterable[str], prefix: str = "") -> None:
        """`prefix` is where the archive is seen unless a trusted proxy says otherwise."""
        self._prefix = prefix
        self._networks = [ipaddress.ip_network(network, strict=False) for network in trusted]
        self.trusts = lru_cache(_REMEMBERED)(self._trusts)

    def _trusts(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def outside(self, headers: Mapping[str, str], peer: str, scheme: str, here: tuple[str, int]) -> Outside:
        """`here` is the address and port the request arrived at. Raises Invalid when the host is none."""
        host = _with_port(headers.get("host", ""), *here)
        if not self.trusts(peer):
            return Outside(f"{scheme}://{_checked(host)}{self._prefix}", peer)
        hops = _forwarded(headers) or _x_forwarded(headers)
        hop, origin = self._nearest_untrusted(hops, peer)
        scheme = hop.scheme if hop.scheme in ("http", "https") else scheme
        prefix = headers.get("x-forwarded-prefix", self._prefix).rstrip("/")
        if not _PATH.fullmatch(prefix):
            raise Invalid("the X-Forwarded-Prefix header is not a path")
        return Outside(f"{scheme}://{_checked(hop.host or host)}{prefix}", origin)

    def _nearest_untrusted(self, hops: Sequence["_Hop"], peer: str) -> tuple["_Hop", str]:
        """The outermost hop that a trusted proxy described, and the address it saw: from the right,
        each further one is believed only when its writer is trusted."""
        best, origin = _Hop(), peer
        for hop in reversed(hops):
            best = _Hop(hop.address, hop.scheme or best.scheme, hop.host or best.host)
            origin = hop.address or origin
            if not self.trusts(hop.address):
                break
        return best, origin


@dataclass(frozen=True, slots=True)
class _Hop:
    address: str = ""
    scheme: str = ""
    host: str = ""


def _forwarded(headers: Mapping[str, str]) -> list[_Hop]:
    text = headers.get("forwarded", "")
    return [_element(element) for element in text.split(",") if element.strip()]


def _element(text: str) -> _Hop:
    # The pairs of RFC 7239 4 are spelt like the parameters of a media type.
    pairs = parse_media_type(f"forwarded/element;{text}")
    return _Hop(_address(pairs.get("for")), pairs.get("proto").lower(), pairs.get("host"))


def _x_forwarded(headers: Mapping[str, str]) -> list[_Hop]:
    """The three lists end at the same hop; a proxy that overwrites instead of adding leaves one entry."""
    addresses = _listed(headers, "x-forwarded-for")
    schemes = _listed(headers, "x-forwarded-proto")
    hosts = _listed(headers, "x-forwarded-host")
    count = max(len(addresses), len(schemes), len(hosts))
    return [
        _Hop(_address(_from_right(addresses, i)), _from_right(schemes, i).lower(), _from_right(hosts, i))
        for i in range(count, 0, -1)
    ]


def _listed(headers: Mapping[str, str], name: str) -> list[str]:
    return [value.strip() for value in headers.get(name, "").split(",") if value.strip()]


def _from_right(values: Sequence[str], position: int) -> str:
    return values[-position] if position <= len(values) else ""


def _address(node: str) -> str:
    """The address of a node without its port: `192.0.2.1:80`, `[2001:db8::1]:80`."""
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return node.partition(":")[0] if node.count(":") == 1 else node


def _with_port(host: str, address: str, port: int) -> str:
    """The Python dicomweb-client leaves the port out of Host; who names the very address that the
    request arrived at spoke to that address' port."""
    literal = f"[{address}]" if ":" in address else address
    loopback = host == "localhost" and (address.startswith("127.") or address == "::1")
    return f"{host or literal}:{port}" if host in ("", literal) or loopback else host


def _checked(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise Invalid("the Host header is not a host")
    return host
