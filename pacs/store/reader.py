"""Open a stored object wherever it lies: the file on the hot tier, or its bytes inside a pack on the
cold one, fetched as they are asked for and never more."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self

from pacs.errors import NotFound, Unavailable
from pacs.store import layout
from pacs.store.cache import Range, RangeCache
from pacs.store.disk import CHUNK, DiskBlob, DiskStore
from pacs.store.locations import Location

PIECE: Final = 32 << 20  # bytes that one request fetches at most; they go to disk, not to memory


class ColdBlob:
    """One object inside a pack. Each range read is one request for just these bytes (several when
    it is longer than 32 MiB), unless it is in the cache or inside what `expect` announced."""

    __slots__ = ("_cache", "_expected", "_location", "_whole", "size")

    def __init__(self, cache: RangeCache, location: Location) -> None:
        self._cache = cache
        self._location = location
        self._expected: tuple[int, int] | None = None
        self._whole: DiskBlob | None = None
        self.size = location.length

    def expect(self, offset: int, length: int) -> None:
        """What is read next lies in this range: fetch it at once, not piece by piece."""
        self._expected = (offset, length) if length <= PIECE else None

    def pread(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`; fewer only at the end of the object."""
        return b"".join(self.chunks(offset, max(0, min(length, self.size - offset))))

    def chunks(self, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Pieces of at most 1 MiB. Raises Unavailable when the cold tier is away."""
        left = self.size - offset if length is None else length
        while left > 0:
            count = min(left, PIECE)
            blob, begin = self._piece(offset, count)
            for at in range(begin, begin + count, CHUNK):
                yield blob.pread(at, min(CHUNK, begin + count - at))
            offset += count
            left -= count

    def at_hand(self, offset: int, length: int) -> None:
        """Nothing here is."""

    def fileno(self) -> int:
        """A file that holds the whole object: all of it is fetched."""
        if self._whole is None:
            if self.size <= PIECE:
                blob, begin = self._piece(0, self.size)
                if begin == 0 and blob.size == self.size:
                    self._whole = blob
            self._whole = self._whole or self._cache.scratch(self.chunks())
        return self._whole.fileno()

    def close(self) -> None:
        self._whole = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _piece(self, offset: int, count: int) -> tuple[DiskBlob, int]:
        if self._expected:
            first, length = self._expected
            if first <= offset and offset + count <= first + length:
                blob, begin = self._cache.get(self._absolute(first, length))
                return blob, begin + offset - first
        return self._cache.get(self._absolute(offset, count))

    def _absolute(self, offset: int, count: int) -> Range:
        return Range(self._location.key, self._location.offset + offset, count)


class Reader:
    """Hot first: it costs nothing. Without a `cache` there is no cold tier. Thread-safe."""

    def __init__(self, hot: DiskStore, cache: RangeCache | None = None) -> None:
        self._hot = hot
        self._cache = cache

    def open(self, places: Sequence[Location]) -> DiskBlob | ColdBlob:
        """Raises NotFound when none of the places holds it, Unavailable when it lies on a cold
        tier that is not configured. Speaks to nobody: the cold tier is asked when it is read."""
        missing: NotFound | None = None
        for place in places:
            if place.tier == layout.HOT:
                try:
                    blob = self._hot.open(place.key)
                except NotFound as error:  # evicted a moment ago, or lost: another place may have it
                    missing = error
                    continue
                if blob.size == place.length:
                    return blob
                blob.close()
                missing = NotFound("the stored file is damaged", hint="run pacs check")
        cold = [place for place in places if place.tier == layout.COLD]
        if not cold:
            raise missing or NotFound("no such instance")
        if self._cache is None:
            raise Unavailable("the object lies on the cold tier, and none is configured", hint="see [cold]")
        return ColdBlob(self._cache, cold[0])

    def has(self, places: Sequence[Location]) -> bool:
        """Whether one of the places holds it, as far as can be told without asking the cold tier."""
        return any(
            self._hot.size(place.key) == place.length if place.tier == layout.HOT else self._cache is not None
            for place in places
        )

    def find(self, locate: Callable[[], Sequence[Location]]) -> DiskBlob | ColdBlob:
        """`open` what `locate` tells; asked once more when it has moved since."""
        try:
            return self.open(locate())
        except NotFound:
            return self.open(locate())
