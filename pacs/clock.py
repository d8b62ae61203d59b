"""The archive's one clock: UTC, in nanoseconds, so that order survives within one second."""

import time
from datetime import UTC, datetime


def now_ns() -> int:
    """Nanoseconds since the epoch, UTC."""
    return time.time_ns()


def from_ns(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / 1e9, tz=UTC)


def monotonic() -> float:
    """Seconds that never step back; for time-outs and durations only."""
    return time.monotonic()
