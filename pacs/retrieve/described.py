"""Metadata ready to be sent: documents of whole series, made once and served without being parsed."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import zstandard

from pacs.db.connection import Database
from pacs.dicom.attributes import tag_of
from pacs.dicom.json import BULK_BASE
from pacs.dicom.splice import spliced
from pacs.index import documents, lookup
from pacs.index import entry as entries
from pacs.index.documents import Series
from pacs.outbox.events import Kind
from pacs.outbox.log import Told
from pacs.outbox.subscriber import Errand
from pacs.retrieve.selection import Wanted

NAME: Final = "describe"
_EDITION: Final = "2."  # counted up when documents come out differently
_SYNTAX: Final = tag_of("AvailableTransferSyntaxUID")
_LARGEST: Final = 1 << 25  # bytes of a document that is kept
_PIECE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Description:
    """DICOM JSON of instances. `digest` changes with every change of any of them.

    Iterating gives pieces of text that follow each other: objects with commas between them; `each`
    gives one object at a time. The byte 0x01 stands where an instance's address, which follows, wants
    that of the web service before it."""

    digest: str
    pieces: Callable[[], Iterator[bytes]]
    each: Callable[[], Iterator[bytes]]

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces()


class Descriptions:
    """Thread-safe."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, wanted: Wanted) -> Description | None:
        """Of one study, series or instance. None when nothing is there."""
        (study,) = wanted.studies
        if wanted.instances:
            return self._unkept(wanted)
        with self._db.read() as tx:
            found = documents.series_of(tx, study, next(iter(wanted.series), ""))
        if found is None:
            return self._unkept(wanted)
        known = [self._known(series) for series in found]
        if not known:
            return None
        if any(series is None for series in known):
            return self._unkept(wanted)
        kept = [series for series in known if series is not None]
        digest = _digest(*(series.digest for series in kept))
        return Description(digest, lambda: self._joined(kept), lambda: self._read(wanted))

    def errand(self) -> Errand:
        """A study that has settled is described before anybody asks."""
        return Errand(NAME, frozenset({Kind.SETTLED}), self._settled, lease_s=600.0)

    def _settled(self, told: Told) -> None:
        self.of(Wanted(studies=(told.study_uid,)))

    def _known(self, series: Series) -> Series | None:
        """With its document made if there was none; None when it would be too long."""
        if series.digest.startswith(_EDITION):
            return series
        made = self._make(series)
        if made is None:
            return None
        digest, document = made
        self._db.transact(lambda tx: documents.keep(tx, series, digest, document))
        return Series(series.id, series.study_uid, series.series_uid, series.revision, digest)

    def _make(self, series: Series) -> tuple[str, bytes] | None:
        digest, size = hashlib.sha256(), 0
        packer = zstandard.ZstdCompressor(level=3).compressobj()
        packed = []
        for piece in _text(self._of_series(series)):
            size += len(piece)
            if size > _LARGEST:
                return None
            digest.update(piece)
            packed.append(packer.compress(piece))
        packed.append(packer.flush())
        return _EDITION + digest.hexdigest(), b"".join(packed)

    def _joined(self, kept: list[Series]) -> Iterator[bytes]:
        for number, series in enumerate(kept):
            if number:
                yield b","
            with self._db.read() as tx:
                document = documents.read(tx, series)
            if document is None:  # it has changed since: what is there now
                yield from _text(self._of_series(series))
            else:
                yield zstandard.ZstdDecompressor().decompressobj().decompress(document)

    def _of_series(self, series: Series) -> Iterator[bytes]:
        return self._read(Wanted(studies=(series.study_uid,), series=(series.series_uid,)))

    def _unkept(self, wanted: Wanted) -> Description | None:
        """Read twice: once for the digest, and again when it is sent."""
        digest, found = hashlib.sha256(), False
        for document in self._read(wanted):
            digest.update(document)
            found = True
        if not found:
            return None
        return Description(digest.hexdigest(), lambda: _text(self._read(wanted)), lambda: self._read(wanted))

    def _read(self, wanted: Wanted) -> Iterator[bytes]:
        where = lookup.where((), wanted.studies, wanted.series, wanted.instances)
        for row in lookup.stream(self._db, where, *lookup.JSON_COLUMNS, lookup.SYNTAX_COLUMN):
            address = f"/studies/{row[0]}/series/{row[1]}/instances/{row[2]}/bulkdata"
            document = entries.expand(row[3]).replace(BULK_BASE, BULK_BASE + address.encode())
            yield spliced(document, _SYNTAX, b'{"vr":"UI","Value":["%s"]}' % row[4].encode())


def _text(instances: Iterator[bytes]) -> Iterator[bytes]:
    """Gathered into pieces: a localizer's JSON is a few kilobytes, an enhanced multi-frame's megabytes."""
    gathered: list[bytes] = []
    size, separator = 0, b""
    for document in instances:
        gathered += [separator, document]
        size += len(document)
        separator = b","
        if size >= _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _digest(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else hashlib.sha256("\0".join(parts).encode()).hexdigest()
