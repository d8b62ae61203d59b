"""Authentication: from what a wire tells about its caller to an Actor, or to nobody."""

import base64
import binascii
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from pacs.auth import tokens
from pacs.auth.actor import Actor, Right, Role
from pacs.auth.grants import Grants
from pacs.auth.grants import is_one as is_granted
from pacs.auth.stations import Stations
from pacs.config import RIGHTS, Config

OPEN_NAME: Final = "anyone"
"""Who an HTTP caller is while nobody has to say who they are."""

_UNKNOWN: Final = frozenset({Role.VIEWER, Role.SENDER})
"""Roles of a station that is not known and is let in while others have to say who they are."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who calls over DIMSE; `proved` by what it showed, else believed for its title and address."""

    actor: Actor
    proved: bool = False


class Door:
    """Knows callers by the configuration. While no token is configured everybody is let in over HTTP,
    with all roles, and unknown stations are, unless a setting refuses them; the exposure check keeps
    such an archive on loopback."""

    def __init__(
        self, config: Config, stations: Stations | None = None, grants: Grants | None = None
    ) -> None:
        self._auth = config.auth
        self._dimse = config.dimse
        self._must_prove = config.dimse.user_identity == "required"
        self._grants = grants
        self._stations = stations or Stations(config.dimse.peers)

    @property
    def open(self) -> bool:
        return not self._auth.on

    def caller(self, authorization: str | None, origin: str) -> Actor | None:
        """The actor of an HTTP Authorization header (Bearer token, or Basic with the token as its
        password); None when that is nobody known.

        A token that the archive gave away itself limits who shows it even while the door is open."""
        token = _presented(authorization or "")
        if is_granted(token):
            return self._grants.actor(token, origin) if self._grants else None
        if self.open:
            return Actor(OPEN_NAME, frozenset(Role), origin, "dicomweb")
        entry = tokens.find(token, self._auth.tokens) if token else None
        return Actor(entry.name, _roles(entry.roles), origin, "dicomweb") if entry else None

    def asks_the_index(self, authorization: str | None) -> bool:
        """Whether to know this caller takes longer than a moment."""
        return is_granted(_presented(authorization or ""))

    def visitor(self, calling_aet: str, address: str, token: str | None) -> Visitor | None:
        """Who calls by this AE title from this address and shows this token, if any; None when that
        is nobody known. A token says who its holder is wherever the call comes from, and one that is
        no good shuts the door on a known station, too."""
        if token is None or self.open:
            station = None if self._must_prove and not self.open else self.station(calling_aet, address)
            return Visitor(station) if station else None
        entry = tokens.find(token, self._auth.tokens) if token else None
        return (
            Visitor(Actor(entry.name, _roles(entry.roles), address, "dimse"), proved=True) if entry else None
        )

    def station(self, calling_aet: str, address: str) -> Actor | None:
        """The actor of a calling AE title and its address; None when it is not to be let in."""
        title = calling_aet.strip(" ")
        peer = self._stations.find(title, address)
        if peer is not None:
            return Actor(peer.aet, _roles(peer.roles), address, "dimse", rights=_rights(peer.rights))
        if not self._admits_unknown:
            return None
        roles = frozenset(Role) if self.open else _UNKNOWN
        return Actor(title, roles, address, "dimse", rights=_rights(self._dimse.unknown_rights))

    @property
    def _admits_unknown(self) -> bool:
        asked = self._dimse.unknown_stations
        return self.open if asked == "auto" else asked == "admit"


def _roles(names: Iterable[str]) -> frozenset[Role]:
    return frozenset(Role(name) for name in names)


def _rights(names: Collection[str]) -> frozenset[Right] | None:
    """None for all of them: then the roles alone say it."""
    return None if set(names) >= set(RIGHTS) else frozenset(Right(name) for name in names)


def _presented(authorization: str) -> str:
    """The token in an Authorization header (RFC 6750 2.1, RFC 7617 2); empty when there is none."""
    scheme, _, credentials = authorization.strip().partition(" ")
    credentials = credentials.strip()
    if scheme.lower() == "bearer":
        return credentials
    if scheme.lower() != "basic":
        return ""
    try:
        decoded = base64.b64decode(credentials, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    return decoded.partition(":")[2]
