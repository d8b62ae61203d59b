"""Store (PS3.18 10.5): bytes of the body go to the spool as they come, one part after the other.

The loop reads, a thread parses and writes; in memory is one batch, whatever the size of the object.
"""

from collections.abc import AsyncIterator
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from dicomweb import answers, media, native, problems
from dicomweb.calls import Call
from dicomweb.described import DescribedIntake
from dicomweb.intake import Intake
from dicomweb.media import DICOM, DICOM_JSON, JSON, MULTIPART, Offer, parse_media_type
from dicomweb.multipart import Parser, Whole
from dicomweb.outcome import Outcome, report, status_of, warnings_of
from pacs.errors import Invalid
from pacs.ingest.assemble import Form

_BATCH: Final = 1 << 20
_FORMS: Final = {form.value: form for form in Form}
_ANSWERS: Final = (Offer(DICOM_JSON), Offer(JSON), Offer(native.XML, wild=False))


async def store(call: Call) -> Response:
    media_type = media.choose(call.accepted, _ANSWERS).type
    intake = await run_in_threadpool(_intake, call)
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
    if media_type != native.XML:
        return answers.dicom_json(body, media_type, status_of(outcomes), warnings_of(outcomes))
    response = Response(native.document(body), status_of(outcomes), {"Content-Type": media_type})
    response.headers["Cache-Control"] = "no-store"
    for text in warnings_of(outcomes):
        answers.warn(response, text)
    return response


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


def _intake(call: Call) -> Intake | DescribedIntake:
    """PS3.18 10.5.2: multipart/related of application/dicom, of metadata and its bulk data, or one of
    them by itself."""
    inner, parser = _sent(call.header("content-type"))
    if inner == DICOM:
        return Intake(call.archive.ingest, call.actor, call.uid("study"), parser)
    if inner in _FORMS:
        return DescribedIntake(call, _FORMS[inner], parser)
    raise problems.UnsupportedMediaType(
        "instances are taken as application/dicom, application/dicom+json and application/dicom+xml",
        hint='send multipart/related; type="application/dicom"; boundary=..., or application/dicom',
    )


def _sent(content_type: str) -> tuple[str, Parser | Whole]:
    """What is sent, and how it is wrapped. A type that does not tell is none that is taken."""
    try:
        sent = parse_media_type(content_type)
        if sent.name != MULTIPART:
            return sent.name, Whole()
        return parse_media_type(sent.get("type", DICOM)).name, Parser(sent.get("boundary"))
    except Invalid as error:
        raise problems.UnsupportedMediaType(f"the Content-Type cannot be read: {error}") from None
