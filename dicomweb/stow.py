"""Store (PS3.18 10.5): bytes of the body go to the spool as they come, one part after the other.

The loop reads, a thread parses and writes; in memory is one batch, whatever the size of the object.
"""

from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dicomweb import answers, problems
from dicomweb.calls import Call
from dicomweb.intake import Intake
from dicomweb.media import DICOM, MULTIPART, MediaType, parse_media_type
from dicomweb.multipart import Parser, Whole
from dicomweb.outcome import Outcome, report, status_of, warnings_of
from pacs.errors import Invalid

_BATCH: Final = 1 << 20


async def store(call: Call) -> Response:
    media_type = answers.json_type(call)
    intake = Intake(call.archive.ingest, call.actor, call.uid("study"), _parser(call.header("content-type")))
    try:
        async for batch in _batches(call.request.stream()):
            await run_in_threadpool(intake.feed, batch)
        outcomes = await run_in_threadpool(intake.finish)
    except ClientDisconnect:
        raise Invalid("the sender went away") from None
    finally:
        await run_in_threadpool(intake.close)
    return _answer(call, outcomes, media_type)


def _answer(call: Call, outcomes: tuple[Outcome, ...], media_type: str) -> Response:
    if not outcomes:
        raise Invalid(
            "the request holds no instance", hint="send at least one part of type application/dicom"
        )
    body = report(outcomes, call.outside)
    return answers.dicom_json(body, media_type, status_of(outcomes), warnings_of(outcomes))


async def _batches(stream: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Network pieces gathered, so that a thread is asked once a megabyte."""
    gathered: list[bytes] = []
    size = 0
    async for piece in stream:
        gathered.append(piece)
        size += len(piece)
        if size >= _BATCH:
            yield gathered
            gathered, size = [], 0
    if size:
        yield gathered


def _parser(content_type: str) -> Parser | Whole:
    """PS3.18 10.5.2: multipart/related of application/dicom, or one instance by itself."""
    sent = _sent(content_type)
    if sent.name == DICOM:
        return Whole()
    inner = parse_media_type(sent.get("type", DICOM)).name if sent.name == MULTIPART else ""
    if inner != DICOM:
        raise problems.UnsupportedMediaType(
            "instances are taken as application/dicom only",
            hint='send multipart/related; type="application/dicom"; boundary=..., or application/dicom',
        )
    return Parser(sent.get("boundary"))


def _sent(content_type: str) -> MediaType:
    try:
        return parse_media_type(content_type)
    except Invalid as error:
        raise problems.UnsupportedMediaType(f"the Content-Type cannot be read: {error}") from None
