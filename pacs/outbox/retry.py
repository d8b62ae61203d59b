"""When to try again, and when to stop trying."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses double from `first_s` up to `longest_s`; after `attempts` in all it is given up."""

    attempts: int = 8
    first_s: float = 1.0
    longest_s: float = 300.0

    def is_over(self, attempts: int) -> bool:
        return attempts >= self.attempts

    def pause_ns(self, attempts: int, spread: float | None = None) -> int:
        """After so many attempts (1..). Between half of the pause and all of it by `spread` (0..1),
        so that what failed together does not come back together."""
        pause = min(self.longest_s, self.first_s * 2.0 ** min(attempts - 1, 62))
        part = random.random() if spread is None else spread  # noqa: S311 - jitter, not a secret
        return round(pause * (0.5 + part / 2) * 1e9)
