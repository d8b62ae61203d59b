"""A store request whose instances are described in JSON or XML (PS3.18 10.5.2): the parts of metadata
first, then their bulk data, each known by its Content-Location. All of it waits on disk for the end of
the request, since any part may name any other."""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Final
from urllib.parse import urljoin

from dicomweb.calls import Call
from dicomweb.media import MediaType, parse_media_type
from dicomweb.multipart import Event, Parser, PartBegin, PartData, PartEnd, Whole
from dicomweb.outcome import ELEMENTS_DISCARDED, Outcome
from pacs.errors import Invalid
from pacs.ingest.assemble import LARGEST, Form
from pacs.ingest.examine import Expected
from pacs.ingest.parcel import Bulk, Parcel

_MOST_LOCATION: Final = 8192


class DescribedIntake:
    """Used by one thread at a time. A refused instance does not keep the others out; what concerns all
    (Forbidden, Unavailable, a broken envelope or document) is raised."""

    def __init__(self, call: Call, form: Form, parser: Parser | Whole) -> None:
        actor, assembler = call.actor, call.archive.assembler
        self._assembler = assembler
        self._actor = actor
        self._expected = Expected(study=call.uid("study"))
        self._parser = parser
        self._form = form
        self._held = ExitStack()
        resolve = partial(_resolved, f"{call.outside.dicomweb}/studies")
        self._bulk = self._held.enter_context(assembler.parcel(actor, resolve))
        self._metadata = self._held.enter_context(assembler.parcel(actor))
        self._texts: list[Bulk] = []
        self._into: Parcel = self._bulk

    def feed(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            for event in self._parser.feed(piece):
                self._on(event)

    def finish(self) -> tuple[Outcome, ...]:
        """The body is over. Raises Invalid when it was cut off, or holds what is no metadata."""
        for event in self._parser.close():
            self._on(event)
        return tuple(outcome for text in self._texts for outcome in self._assembled(text))

    def close(self) -> None:
        """Forget what waits."""
        self._held.close()

    def _on(self, event: Event) -> None:
        match event:
            case PartBegin(headers):
                self._begin(headers)
            case PartData(data):
                self._into.write(data)
            case PartEnd():
                part = self._into.end()
                if self._into is self._metadata:
                    self._keep(part)

    def _begin(self, headers: dict[str, str]) -> None:
        sent = _type(headers, self._form)
        if sent.name in (self._form.value, "application/json"):
            self._into = self._metadata
            self._into.begin("", sent.name, "")
            return
        location = headers.get("content-location", "")
        if not location or len(location) > _MOST_LOCATION:
            raise Invalid("a part of bulk data needs a Content-Location")
        self._into = self._bulk
        self._into.begin(location, sent.name, sent.get("transfer-syntax"))

    def _keep(self, part: Bulk) -> None:
        if part.length > LARGEST:
            raise Invalid(f"the metadata is longer than {LARGEST >> 20} MiB")
        self._texts.append(part)

    def _assembled(self, part: Bulk) -> Iterable[Outcome]:
        text = b"".join(self._metadata.chunks(part))
        for one in self._assembler.assemble(self._actor, self._form, text, self._bulk, self._expected):
            yield Outcome.of(one.receipt, ELEMENTS_DISCARDED if one.discarded else 0)


def _resolved(base: str, address: str) -> str:
    """An address that is none stands for itself."""
    try:
        return urljoin(base, address)
    except ValueError:
        return address


def _type(headers: dict[str, str], form: Form) -> MediaType:
    """A part that does not say what it is, is metadata where it has no Content-Location."""
    said = headers.get("content-type", "")
    if said:
        return parse_media_type(said)
    return MediaType("application/octet-stream" if "content-location" in headers else form.value)
