"""An order as JSON, in the form in which it can be given (docs/orders.md), with what came of it."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from pacs import clock
from pacs.dicom.attributes import tag_of, vr_of
from pacs.orders import item
from pacs.orders.fields import CODE, ORDER, PATIENT, PROCEDURE, STEP, Field, Kind
from pacs.orders.model import ENDED, DataSet, Order, Performed
from pacs.query import normal


def shown(order: Order) -> dict[str, Any]:
    """What has no name of its own stands under `dicom`, by its tag."""
    steps = item.items(order.dataset, item.STEPS)
    found = {
        "number": order.number,
        "state": state(order),
        "placed": _moment(order.placed_ns),
        "placed_by": order.placed_by,
        **_fields(order.dataset, ORDER),
        "patient": _fields(order.dataset, PATIENT),
        "procedure": _fields(order.dataset, PROCEDURE),
        "steps": [_fields(step, STEP) | _rest(step, STEP) for step in steps],
        **_rest(order.dataset, (*ORDER, *PATIENT, *PROCEDURE, Field("steps", item.STEPS))),
        "performed": [_performed(one) for one in order.performed],
    }
    return found | ({"cancelled": _moment(order.cancelled_ns)} if order.cancelled_ns else {})


def state(order: Order) -> str:
    if order.cancelled_ns:
        return "cancelled"
    if all(step.status in ENDED for step in order.steps):
        return "ended"
    return "begun" if order.performed else "open"


def _fields(dataset: DataSet, fields: Iterable[Field]) -> dict[str, Any]:
    return {
        field.name: _plain(field, dataset)
        for field in fields
        if item.key(field.keyword) in dataset and not item.is_empty(dataset, field.keyword)
    }


def _plain(field: Field, dataset: DataSet) -> Any:
    if field.kind is Kind.CODES:
        return [_fields(code, CODE) for code in item.items(dataset, field.keyword)]
    tag = tag_of(field.keyword)
    if field.kind is Kind.DATE:
        day = normal.date(item.text(dataset, field.keyword))
        return f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if vr_of(tag) == "PN":
        return item.text(dataset, field.keyword)
    present = item.values(dataset, field.keyword)
    return present[0] if normal.is_single(tag) else present


def _rest(dataset: Mapping[str, Any], fields: Iterable[Field]) -> dict[str, Any]:
    named = {item.key(field.keyword) for field in fields}
    rest = {tag: element for tag, element in dataset.items() if tag not in named}
    return {"dicom": rest} if rest else {}


def _performed(one: Performed) -> dict[str, Any]:
    return {
        "uid": one.uid,
        "status": one.status.value,
        "station": one.station,
        "begun": _moment(one.created_ns),
        "changed": _moment(one.changed_ns),
    } | ({"reason": one.reason} if one.reason else {})


def _moment(nanoseconds: int) -> str:
    moment: dt.datetime = clock.from_ns(nanoseconds)
    return moment.isoformat(timespec="milliseconds")
