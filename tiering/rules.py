"""Where a study belongs, and why: a pure function of what is known of it, the rules and the time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from pacs.config import TierConfig, TierRule
from pacs.store.care import Care

_DAY: Final = 86_400 * 10**9  # ns


class Tier(StrEnum):
    HOT = "hot"
    COLD = "cold"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`tier` is None when nothing speaks for moving the study: it stays where it is."""

    tier: Tier | None
    reason: str


@dataclass(frozen=True, slots=True)
class Moment:
    """`now_ns`, and how many bytes the hot tier holds then."""

    now_ns: int
    hot_bytes: int = 0


def wanted(care: Care, config: TierConfig, moment: Moment) -> Wanted:
    """A hold comes first, then being read, then the first rule that applies."""
    if care.hold:
        return Wanted(Tier.HOT, f"held: {care.hold}")
    if care.last_read_ns and moment.now_ns - care.last_read_ns < config.keep_read_seconds * 1e9:
        return Wanted(Tier.HOT, "read recently")
    for rule in config.rules:
        if all(condition(rule, care, moment) for condition in _CONDITIONS):
            return Wanted(Tier(rule.tier), f"rule {rule.name}")
    return Wanted(None, "no rule applies")


def last_used_ns(care: Care) -> int:
    """When it was last read; its arrival counts."""
    return max(care.last_read_ns, care.received_ns)


def _modality(rule: TierRule, care: Care, _moment: Moment) -> bool:
    return not rule.modalities or (bool(care.modalities) and set(care.modalities) <= set(rule.modalities))


def _age(rule: TierRule, care: Care, moment: Moment) -> bool:
    return not rule.older_than_days or moment.now_ns - _dated(care) > rule.older_than_days * _DAY


def _received(rule: TierRule, care: Care, moment: Moment) -> bool:
    return not rule.received_days_ago or moment.now_ns - care.received_ns > rule.received_days_ago * _DAY


def _unread(rule: TierRule, care: Care, moment: Moment) -> bool:
    return not rule.unread_for_days or moment.now_ns - last_used_ns(care) > rule.unread_for_days * _DAY


def _watermark(rule: TierRule, _care: Care, moment: Moment) -> bool:
    return not rule.hot_above_bytes or moment.hot_bytes > rule.hot_above_bytes


_CONDITIONS: Final[tuple[Callable[[TierRule, Care, Moment], bool], ...]] = (
    _modality,
    _age,
    _received,
    _unread,
    _watermark,
)


def _dated(care: Care) -> int:
    """The Study Date's beginning (UTC), in ns; the arrival for a study without a usable one."""
    try:
        day = datetime.strptime(care.study_date, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return care.received_ns
    return int(day.timestamp()) * 10**9
