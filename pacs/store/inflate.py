"""Deflated data sets (PS3.5 A.5) laid open for reading: the stored file stays as it came."""

import os
import zlib
from pathlib import Path

from pacs.errors import Invalid
from pacs.store.blobs import Blob
from pacs.store.disk import CHUNK, DiskBlob

DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"})
LIMIT = 8 << 30  # bytes; a few kilobytes can inflate to anything


def inflate(blob: Blob, offset: int, folder: Path) -> DiskBlob:
    """The file with its data set inflated, as an unnamed temporary file in `folder`.

    The first `offset` bytes (preamble and File Meta Information) are copied as they are.
    Raises Invalid when the deflated stream is broken or inflates beyond 8 GiB.
    """
    fd = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        _pump(blob, offset, fd)
    except BaseException:
        os.close(fd)
        raise
    return DiskBlob(fd)


def _pump(blob: Blob, offset: int, fd: int) -> None:
    os.write(fd, blob.pread(0, offset))
    total = 0
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for chunk in blob.chunks(offset):
            data = inflater.decompress(chunk, CHUNK)
            while data:
                total += os.write(fd, data)
                if total > LIMIT:
                    raise Invalid("the deflated data set inflates beyond 8 GiB")
                data = inflater.decompress(inflater.unconsumed_tail, CHUNK)
            if inflater.eof:
                return
    except zlib.error as error:
        raise Invalid("the deflated data set is broken") from error
    if not inflater.eof:
        raise Invalid("the deflated data set ends too early")
