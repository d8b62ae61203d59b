"""Worklist service (PS3.18 11.4 to 11.9): a workitem is a data set that has an address and a state."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dicomweb import answers, bodies, media, problems, qido
from dicomweb.calls import Call
from pacs.dicom import uids
from pacs.dicom.level import Level
from pacs.errors import Conflict, Invalid
from pacs.query import parse
from pacs.query.model import Query
from pacs.workitems import dataset
from pacs.workitems.model import DataSet, Notice, Rule, StepRefusal, StepState

_UID_NAMES: Final = ("workitem", "AffectedSOPInstanceUID", "00001000")
_TRANSACTION_NAMES: Final = (
    "transaction-uid",
    "transaction",
    "transaction_uid",
    "TransactionUID",
    "00081195",
)
_MAX_LIMIT: Final = 5000
_LITERAL: Final = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
_DEFAULT_LIMIT: Final = 1000

NOTICES: Final = {
    Notice.CREATED_MODIFIED: "The Workitem was created with modifications.",  # 11.4.3.2
    Notice.UPDATED_MODIFIED: "The Workitem was updated with modifications.",  # 11.6.3.2
    Notice.ALREADY_CANCELED: "The UPS is already in the requested state of CANCELED.",  # 11.7.3.2
    Notice.ALREADY_COMPLETED: "The UPS is already in the requested state of COMPLETED.",
}
_MISSING: Final = "The Transaction UID is missing."
_WRONG: Final = "The Transaction UID is incorrect."
_UNCLAIMED: Final = "The target URI did not reference a claimed Workitem."
_OF_UPDATE: Final = "The submitted request is inconsistent with the current state of the Workitem."
_OF_STATE: Final = "The submitted request is inconsistent with the state of the UPS Instance."
# Tables 11.6.3-1 and 11.7.3-1: these are bad requests, whatever the state.
_BAD: Final = frozenset({Rule.TRANSACTION_MISSING, Rule.TRANSACTION_WRONG})


async def create(call: Call) -> Response:
    """201 with the address of the new workitem. It is named by the query, by its data set, or by us."""
    uid = _named(call, _UID_NAMES)
    asked = dataset.checked(await bodies.data_set(call))
    made, notices = await run_in_threadpool(call.archive.workitems.create, call.actor, asked, uid)
    where = call.outside.workitem(made)
    return _noted(Response(status_code=problems.CREATED, headers={"Location": where}), notices)


def retrieve(call: Call) -> Response:
    """JSON as an array of one, like all of it; the transaction UID is not in it."""
    offer = media.choose(call.accepted, answers.ONE_DATA_SET)
    uid = call.uid("workitem")
    found = call.archive.workitems.retrieve(call.actor, uid)
    response = answers.data_sets([found], offer)
    response.headers["Content-Location"] = call.outside.workitem(uid)
    return response


def search(call: Call) -> Response:
    """204 when nothing matches, 206 when there is more than is given (Table 11.9.3-1)."""
    offer = media.choose(call.accepted, answers.DATA_SETS)
    asked = qido.read(call.request.query_params.multi_items(), Level.IMAGE)
    limit = min(_DEFAULT_LIMIT if asked.limit is None else asked.limit, _MAX_LIMIT)
    page = call.archive.workitems.search(call.actor, _query(asked, limit))
    warnings = [*asked.warnings, *page.warnings, *([_LITERAL] if asked.fuzzy else ())]
    if not page.matches:
        response = Response(status_code=problems.NO_CONTENT)
    else:
        response = answers.data_sets(page.matches, offer)
    if page.more and limit:
        response.status_code = problems.PARTIAL
        warnings.append(qido.TRUNCATED)
    for text in warnings:
        answers.warn(response, text)
    response.headers["Content-Location"] = str(call.outside.base + call.request.url.path)
    return response


async def update(call: Call) -> Response:
    asked = dataset.checked(await bodies.data_set(call))
    transaction_uid = _named(call, _TRANSACTION_NAMES)

    def work() -> tuple[Notice, ...]:
        return call.archive.workitems.update(call.actor, call.uid("workitem"), asked, transaction_uid)

    return await _changed(call, work, _warning_of_update, bad=_BAD | {Rule.FINAL})


async def change_state(call: Call) -> Response:
    """The payload is a Transaction UID and a Procedure Step State (11.7.1.4)."""
    asked = dataset.checked(await bodies.data_set(call))
    text = dataset.text(asked, "ProcedureStepState")
    try:
        state = StepState(text)
    except ValueError:
        raise Invalid(f"ProcedureStepState is one of {', '.join(StepState)}") from None
    transaction_uid = dataset.text(asked, "TransactionUID")

    def work() -> tuple[Notice, ...]:
        return call.archive.workitems.change_state(call.actor, call.uid("workitem"), state, transaction_uid)

    return await _changed(call, work, _warning_of_state, bad=_BAD)


async def request_cancel(call: Call) -> Response:
    """202: canceled when nobody had begun it, else its performer has been told (11.8)."""
    sent = await bodies.data_set(call, optional=True)
    asked: DataSet = {} if sent is None else dataset.checked(sent)

    def work() -> tuple[Notice, ...]:
        return call.archive.workitems.request_cancel(call.actor, call.uid("workitem"), asked)

    response = await _changed(call, work, _warning_of_state, bad=frozenset())
    if response.status_code == problems.OK:
        response.status_code = problems.ACCEPTED
    return response


async def _changed(
    call: Call,
    work: Callable[[], tuple[Notice, ...]],
    warning: Callable[[Rule], str],
    *,
    bad: frozenset[Rule],
) -> Response:
    try:
        notices = await run_in_threadpool(work)
    except StepRefusal as refusal:
        kind = Invalid if refusal.rule in bad else Conflict
        response = problems.of(kind(str(refusal), hint=refusal.hint))
        answers.warn(response, warning(refusal.rule))
        return response
    where = call.outside.workitem(call.uid("workitem"))
    return _noted(Response(headers={"Content-Location": where}), notices)


def _warning_of_update(rule: Rule) -> str:
    if rule is Rule.NOT_CLAIMED:
        return _UNCLAIMED
    return {Rule.TRANSACTION_MISSING: _MISSING, Rule.TRANSACTION_WRONG: _WRONG}.get(rule, _OF_UPDATE)


def _warning_of_state(rule: Rule) -> str:
    return {Rule.TRANSACTION_MISSING: _MISSING, Rule.TRANSACTION_WRONG: _WRONG}.get(rule, _OF_STATE)


def _noted(response: Response, notices: Iterable[Notice]) -> Response:
    for notice in notices:
        answers.warn(response, NOTICES[notice])
    response.headers["Cache-Control"] = "no-store"
    return response


def _named(call: Call, names: Iterable[str]) -> str:
    """A UID of the query: under one of the names, or as the whole query, which is how PS3.18 11.4.1 and
    11.6.1 write it. Raises Invalid."""
    asked = call.request.query_params
    query = unquote(call.request.url.query)
    uid = next((asked[name] for name in names if name in asked), query if uids.is_valid(query) else "")
    if uid and not uids.is_valid(uid):
        raise Invalid("the query does not name a UID")
    return uid


def _query(asked: qido.Asked, limit: int) -> Query:
    query = parse.from_keys(
        Level.IMAGE,
        asked.keys,
        returned=asked.returned,
        everything=asked.everything,
        offset=asked.offset,
        limit=limit,
        combined=True,
    )
    return replace(query, defaults=True)
