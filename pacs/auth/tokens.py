"""Bearer tokens: made once, shown once, known afterwards by their digest only."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

from pacs.config import TokenEntry

_PREFIX: Final = "sha256:"


def create() -> tuple[str, str]:
    """A new token and the hash to configure."""
    token = secrets.token_urlsafe(32)
    return token, hash_of(token)


def hash_of(token: str) -> str:
    # A plain SHA-256 is enough here: a slow, salted hash protects guessable passwords, and 256 random
    # bits cannot be guessed at any speed. It also keeps the check out of every request's time.
    return _PREFIX + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def find(token: str, entries: Iterable[TokenEntry]) -> TokenEntry | None:
    """The entry of this token. Every entry is compared, in constant time each, so that the time
    taken tells nothing about any of them."""
    digest = hash_of(token)
    found = None
    for entry in entries:
        if hmac.compare_digest(entry.hash, digest):
            found = entry
    return found
