"""The cold tier as the configuration names it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pacs.config import ColdConfig
from pacs.errors import Invalid
from pacs.store import s3
from pacs.store.blobs import BlobStore
from pacs.store.cache import Range, RangeCache
from pacs.store.folder import FolderStore


def open_cold(config: ColdConfig) -> BlobStore | None:
    """None when no cold tier is configured. Speaks to nobody yet; a folder has to be there.

    Raises Invalid for an address that is none, Unavailable when the folder cannot be used."""
    if not config.on:
        return None
    address = urlsplit(config.endpoint_url)
    if address.scheme == "file":
        if address.netloc or not address.path.startswith("/"):
            raise Invalid("[cold] endpoint_url names no folder", hint="write file:///absolute/path")
        return FolderStore(Path(unquote(address.path), config.prefix))
    if config.endpoint_url and address.scheme not in {"http", "https"}:
        raise Invalid("[cold] endpoint_url is no address", hint="write https://host:port or file:///folder")
    return s3.connect(
        s3.Bucket(
            config.bucket,
            config.endpoint_url,
            config.region,
            config.access_key,
            config.secret_key,
            config.prefix,
        )
    )


def open_cache(folder: Path, cold: BlobStore, limit: int) -> RangeCache:
    """Ranges of cold objects, at most `limit` bytes of them, below `folder`."""

    def fetch(wanted: Range) -> Iterator[bytes]:
        return cold.ranged(wanted.key, wanted.offset, wanted.length)

    return RangeCache(folder, limit, fetch)
