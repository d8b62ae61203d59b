"""Retrieve metadata: ready JSON of instances, or XML made of it (PS3.18 10.4.1.1.2, Annex F, PS3.19 A.1)."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from starlette.responses import Response

from dicomweb import answers, media, multipart, native
from dicomweb.calls import Call
from dicomweb.multipart import Part
from dicomweb.streams import Source, Streamed
from pacs.retrieve.deliver import Description

_BASE: Final = b"\x01"
_EDITION: Final = "1"  # counted up when XML comes out differently


def retrieve(call: Call) -> Response:
    offer = media.choose(call.accepted, answers.ONE_DATA_SET if call.part("instance") else answers.DATA_SETS)
    found = call.archive.retrieve.described(call.actor, call.wanted)
    base = call.outside.dicomweb.encode()
    tag = answers.etag(found.digest, call.outside.dicomweb, offer.describe(), _EDITION)
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        return unchanged
    if offer.type != native.XML:
        pieces, kind = _array(found, base), offer.type
    elif offer.multipart:
        boundary = tag.strip('"')
        pieces, kind = (
            multipart.write(_parts(found, base), boundary),
            answers.multipart_type(offer.type, boundary),
        )
    else:
        pieces, kind = (part for one in _parts(found, base) for part in one.open()), offer.type
    return Streamed(Source(pieces), media_type=kind, headers={"ETag": tag}, only_head=call.only_head)


def _array(found: Description, base: bytes) -> Iterator[bytes]:
    yield b"["
    for piece in found:
        yield piece.replace(_BASE, base)
    yield b"]"


def _parts(found: Description, base: bytes) -> Iterator[Part]:
    """One instance at a time."""
    for document in found.each():
        dataset: dict[str, Any] = orjson.loads(document.replace(_BASE, base))
        yield answers.xml_part(native.document(dataset))
