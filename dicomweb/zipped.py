"""Objects in one ZIP archive, written as it is sent (PS3.18 8.7.3.2): nothing is compressed again, and
sizes beyond 4 GiB or 65535 entries are as ZIP64 has them."""

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

ZIP: Final = "application/zip"
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same objects are the same archive, whenever it is asked for
_LARGE: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the archive. `size` is None where only writing it tells."""

    name: str
    size: int | None
    open: Callable[[], Iterator[bytes]]


def write(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece; one entry is open at a time."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.external_attr = 0o644 << 16
            large = entry.size is None or entry.size >= _LARGE
            with archive.open(info, "w", force_zip64=large) as file:
                for piece in entry.open():
                    file.write(piece)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """Takes what is written, to be taken away; it cannot seek, so sizes follow their files."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
