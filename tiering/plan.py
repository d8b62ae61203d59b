"""What is wanted less what is: the steps to take, the most pressing first."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Generic, TypeVar

from pacs.config import TierConfig
from pacs.store.care import Care
from tiering.rules import Moment, Tier, Wanted, last_used_ns, wanted

Item = TypeVar("Item")


class Act(IntEnum):
    """In the order in which they are done: somebody waits for a recall, an eviction makes room,
    a copy can be made at any time."""

    RECALL = 1
    EVICT = 2
    PACK = 3


@dataclass(frozen=True, slots=True)
class Step:
    """`bytes` will move or go, not before `not_before_ns` (the end of the grace time)."""

    act: Act
    study: str
    bytes: int
    reason: str
    not_before_ns: int = 0


def plan(
    studies: Iterable[Care], config: TierConfig, moment: Moment, *, grace_ns: int, limit: int = 1000
) -> list[Step]:
    """At most `limit` steps; memory grows with `limit`, not with the number of studies.

    Of the studies that only a watermark sends away, those read longest ago go, and no more of them
    than it takes."""
    firm: _Least[Step] = _Least(limit)
    overflow: _Least[Care] = _Least(limit)
    hot_bytes = moment.hot_bytes
    for care in studies:
        want = wanted(care, config, moment)
        if want.tier is Tier.COLD:
            if wanted(care, config, replace(moment, hot_bytes=0)).tier is not Tier.COLD:
                overflow.add((last_used_ns(care), care.study), care)
                continue
            hot_bytes -= care.hot_bytes
        for step in _steps(care, want, moment, grace_ns):
            firm.add(_urgency(step, care, moment), step)
    for care in overflow.items():
        left = replace(moment, hot_bytes=hot_bytes)
        want = wanted(care, config, left)
        if want.tier is Tier.COLD:
            hot_bytes -= care.hot_bytes
            for step in _steps(care, want, left, grace_ns):
                firm.add(_urgency(step, care, moment), step)
    return list(firm.items())


def _steps(care: Care, want: Wanted, moment: Moment, grace_ns: int) -> Iterator[Step]:
    """A study can be in between: new objects of one that was moved are hot."""
    missing_hot, missing_cold = care.bytes - care.hot_bytes, care.bytes - care.cold_bytes
    if want.tier is Tier.HOT and missing_hot > 0:
        yield Step(Act.RECALL, care.study, missing_hot, want.reason)
    if want.tier is Tier.COLD:
        if missing_cold > 0:
            yield Step(Act.PACK, care.study, missing_cold, want.reason)
        twice = care.hot_bytes + care.cold_bytes - care.bytes
        if twice > 0:
            ripe = care.packed_ns + grace_ns
            yield Step(Act.EVICT, care.study, twice, want.reason, ripe if ripe > moment.now_ns else 0)


def _urgency(step: Step, care: Care, moment: Moment) -> tuple[object, ...]:
    """What has to wait comes last; then by act, then who was used longest ago; who was read last is
    recalled first."""
    used = last_used_ns(care)
    order = -used if step.act is Act.RECALL else used
    return (step.not_before_ns > moment.now_ns, step.act, order, care.study)


class _Least(Generic[Item]):
    """The `limit` items with the least keys, in their order."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[tuple[tuple[object, ...], Item]] = []

    def add(self, key: tuple[object, ...], item: Item) -> None:
        self._kept.append((key, item))
        if len(self._kept) > 2 * self._limit:
            self._trim()

    def items(self) -> Iterator[Item]:
        self._trim()
        return (item for _, item in self._kept)

    def _trim(self) -> None:
        self._kept.sort(key=lambda one: one[0])
        del self._kept[self._limit :]
