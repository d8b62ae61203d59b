"""Retrieve metadata: the ready JSON of every instance, joined to an array (PS3.18 10.4.1.1.2, Annex F)."""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain
from typing import Final

from starlette.responses import Response

from dicomweb import answers
from dicomweb.calls import Call
from dicomweb.streams import Source, Streamed
from dicomweb.urls import Outside
from pacs.errors import NotFound
from pacs.retrieve.deliver import MetadataEntry

_PIECE: Final = 1 << 16
_BULK_BASE: Final = b"\x01"


def retrieve(call: Call) -> Response:
    media_type = answers.json_type(call)
    entries = call.archive.retrieve.metadata(call.actor, call.wanted)
    with ExitStack() as stack:
        close = getattr(entries, "close", None)
        if close is not None:
            stack.callback(close)
        first = next(entries, None)
        if first is None:
            raise NotFound("nothing is stored under this address")
        held = stack.pop_all()
    return Streamed(
        Source(_array(chain((first,), entries), call.outside), held),
        media_type=media_type,
        headers={"Cache-Control": "no-store"},
        only_head=call.only_head,
    )


def _array(entries: Iterator[MetadataEntry], outside: Outside) -> Iterator[bytes]:
    """Gathered into pieces: a localizer's JSON is a few kilobytes, an enhanced multi-frame's megabytes."""
    gathered, size = [b"["], 0
    separator = b""
    for entry in entries:
        json = entry.json.replace(_BULK_BASE, outside.bulkdata(entry.key).encode())
        gathered += [separator, json]
        separator = b","
        size += len(json)
        if size >= _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    gathered.append(b"]")
    yield b"".join(gathered)
