"""The reading list over HTTP: JSON, and live by server-sent events. Studies go by their UID; whoever
wants to know whose they are searches for them, and that is written down."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dicomweb import events
from dicomweb.calls import Call
from dicomweb.events import Batch
from dicomweb.media import JSON
from dicomweb.numbers import whole
from pacs.dicom import uids
from pacs.errors import Invalid
from pacs.reading.model import Place, Raised, Requested, Verdict, WorkItem

_LIMIT: Final = 100


def page(call: Call) -> Response:
    """Most pressing first. `after` is the `next` of the page before; `done` lists what was read;
    `studies` names the ones to look up, joined by commas, and then nothing else counts."""
    asked = call.request.query_params
    if "studies" in asked:
        found = call.archive.worklist.some(call.actor, _uids(asked["studies"]))
    else:
        found = call.archive.worklist.page(
            call.actor,
            limit=whole(asked.get("limit", str(_LIMIT)), "limit"),
            after=_place(asked.get("after", "")),
            done=asked.get("done", "") in {"1", "true"},
        )
    following = f"{found.next.rank_ns}.{found.next.study_uid}" if found.next else None
    return _json(
        {"items": [_item(item) for item in found.items], "next": following, "version": found.version}
    )


def changes(call: Call) -> Response:
    """What changed after the version `since`."""
    since = whole(call.request.query_params.get("since", "0"), "since")
    found = call.archive.worklist.changes(call.actor, since)
    return _json(
        {"items": [_item(item) for item in found.items], "version": found.version, "more": found.more}
    )


def item(call: Call) -> Response:
    """One study of the list, with what the models found in it."""
    study = call.uid("study")
    shown = _item(call.archive.worklist.item(call.actor, study))
    findings = call.archive.worklist.findings(call.actor, study)
    return _json(shown | {"findings": [_raised(raised) for raised in findings]})


def score_cards(call: Call) -> Response:
    """How the findings of each model fared with the readers."""
    cards = call.archive.worklist.score_cards(call.actor)
    return _json(
        [
            {
                "model": card.model,
                "version": card.model_version,
                "accepted": card.accepted,
                "modified": card.modified,
                "rejected": card.rejected,
            }
            for card in cards
        ]
    )


def watch(call: Call) -> Response:
    """Server-sent events: each is a changed item, its id the version to go on from."""
    text = call.header("last-event-id") or call.request.query_params.get("since", "0")
    since = whole(text, "since")
    call.archive.worklist.changes(call.actor, since, limit=1)  # a refusal is an answer, not a broken stream

    def pull(since: int) -> Batch[int]:
        found = call.archive.worklist.changes(call.actor, since)
        return Batch([(item.version, _item(item)) for item in found.items], found.version, found.more)

    return events.stream(call, pull, since)


async def claim(call: Call) -> Response:
    """409 when another reader has it."""
    return await _changed(call, call.archive.worklist.claim)


async def release(call: Call) -> Response:
    return await _changed(call, call.archive.worklist.release)


async def finish(call: Call) -> Response:
    return await _changed(call, call.archive.worklist.finish)


async def reopen(call: Call) -> Response:
    return await _changed(call, call.archive.worklist.reopen)


async def request(call: Call) -> Response:
    """The priority that people ask for: STAT, HIGH, ROUTINE or LOW."""
    try:
        requested = Requested(call.part("priority"))
    except ValueError:
        raise Invalid(f"priorities are {', '.join(Requested)}") from None
    shown = await run_in_threadpool(call.archive.worklist.request, call.actor, call.uid("study"), requested)
    return _json(_item(shown))


async def judge(call: Call) -> Response:
    """A reader's word on a finding: accepted, modified or rejected."""
    try:
        verdict = Verdict(call.part("verdict"))
    except ValueError:
        raise Invalid(f"verdicts are {', '.join(Verdict)}") from None
    number = whole(call.part("finding"), "finding")
    return _json(_raised(await run_in_threadpool(call.archive.worklist.judge, call.actor, number, verdict)))


def _changed(call: Call, change: Callable[..., WorkItem]) -> Awaitable[Response]:
    async def answer() -> Response:
        return _json(_item(await run_in_threadpool(change, call.actor, call.uid("study"))))

    return answer()


def _item(shown: WorkItem) -> dict[str, Any]:
    return {
        "study": shown.study_uid,
        "state": shown.state.value,
        "waiting_since": _moment(shown.waiting_since_ns),
        "requested": shown.requested.value,
        "urgency": shown.urgency,
        "finding": _raised(shown.lead) if shown.lead else None,
        "holder": shown.holder or None,
        "held_until": _moment(shown.held_until_ns),
        "done_by": shown.done_by or None,
        "done": _moment(shown.done_ns),
        "rank": str(shown.rank_ns),
        "version": shown.version,
    }


def _raised(raised: Raised) -> dict[str, Any]:
    return {
        "id": raised.id,
        "name": raised.finding.name,
        "severity": raised.finding.severity,
        "confidence": raised.finding.confidence,
        "model": raised.model,
        "model_version": raised.model_version,
        "verdict": raised.verdict.value if raised.verdict else None,
    }


def _moment(nanoseconds: int) -> str | None:
    if not nanoseconds:
        return None
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC).isoformat(timespec="milliseconds")


def _place(text: str) -> Place | None:
    if not text:
        return None
    rank, _, study = text.partition(".")
    sign, digits = (-1, rank[1:]) if rank.startswith("-") else (1, rank)
    return Place(sign * whole(digits, "after"), study)


def _uids(text: str) -> list[str]:
    named = [uid for uid in text.split(",") if uid]
    if not all(map(uids.is_valid, named)):
        raise Invalid("studies are named by their UIDs, joined by commas")
    return named


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type=JSON, headers={"Cache-Control": "no-store"})
