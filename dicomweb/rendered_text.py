"""What is rendered as text: reports as HTML or plain text, encapsulated documents as what they are
(PS3.18 8.7.4, rendered media types of text and of other objects)."""

import html
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from starlette.responses import Response

from dicomweb import answers, media
from dicomweb.calls import Call
from dicomweb.media import Offer
from dicomweb.streams import Source, Streamed
from pacs.errors import NotAcceptable
from pacs.retrieve.found import Found
from pacs.retrieve.written import DOCUMENT_PATH, Document, Report

_HTML: Final = Offer("text/html")
_PLAIN: Final = Offer("text/plain")
_HEADERS: Final = {"Cache-Control": "private, no-cache"}
# Pages of this archive may show it within themselves.
_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
_PAGE: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Report</title></head>
<body>
<h1>{title}</h1>
<table>{facts}</table>
{tree}
</body>
</html>
"""


def answer(call: Call, found: Found, written: Document | Report) -> Response:
    """Raises NotAcceptable when none of the media types that it has is accepted."""
    offer = _chosen(call, written)
    tag = answers.etag(found.digest, offer.type)
    headers = {"ETag": tag, "Content-Security-Policy": _POLICY, **_HEADERS}
    unchanged = answers.not_modified(call, tag)
    if unchanged is not None:
        unchanged.headers.update(headers)
        return unchanged
    if isinstance(written, Document):
        return _document(call, written, headers)
    text = _page(written) if offer is _HTML else _lines(written)
    return Response(text, headers=headers, media_type=offer.type)


def _chosen(call: Call, written: Document | Report) -> Offer:
    offers = (
        (_HTML, _PLAIN) if isinstance(written, Report) else (Offer(written.media_type.partition(";")[0]),)
    )
    if max(media.quality(call.accepted, offer) for offer in offers) <= 0:
        can = ", ".join(offer.type for offer in offers)
        raise NotAcceptable("this instance has no pixels", hint=f"can be given: {can}")
    return media.choose(call.accepted, offers)


def _document(call: Call, written: Document, headers: dict[str, str]) -> Response:
    with ExitStack() as stack:
        bulk = stack.enter_context(call.archive.retrieve.bulkdata(call.actor, call.key, DOCUMENT_PATH))
        length = bulk.length if written.length is None else min(written.length, bulk.length)
        return Streamed(
            Source(bulk.chunks(0, length), stack.pop_all()),
            media_type=written.media_type,
            length=length,
            headers=headers,
            only_head=call.only_head,
        )


def _page(report: Report) -> str:
    facts = "".join(f"<tr><th>{html.escape(n)}</th><td>{html.escape(v)}</td></tr>" for n, v in report.facts)
    return _PAGE.format(title=html.escape(report.title), facts=facts, tree="".join(_tree(report)))


def _tree(report: Report) -> Iterator[str]:
    """Nested lists; an item is closed before the next one of its depth or above."""
    depth = -1
    for line in report.lines:
        if line.depth > depth:
            yield "<ul>" * (line.depth - depth)
        else:
            yield "</li></ul>" * (depth - line.depth) + "</li>"
        depth = line.depth
        name, value = html.escape(line.name), html.escape(line.value)
        yield f"<li>{name}: <b>{value}</b>" if name and value else f"<li>{name or value}"
    yield "</li></ul>" * (depth + 1)


def _lines(report: Report) -> str:
    lines = [report.title, "", *(f"{name}: {value}" for name, value in report.facts), ""]
    for line in report.lines:
        text = ": ".join(part for part in (line.name, line.value) if part)
        lines.append("  " * line.depth + " ".join(text.split()))
    return "\n".join(lines) + "\n"
