"""How often one caller may ask: each has a credit of time, which refills as time passes."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

#: Callers that are remembered; the one that was silent longest is forgotten first.
MOST_CALLERS = 10_000


class _Credit(NamedTuple):
    credit_seconds: float
    seen_at_seconds: float


class RateLimit:
    """A limit of each caller: a token bucket, counted in the seconds that its tokens take."""

    def __init__(self, requests_per_second: float, burst: int) -> None:
        """Allow so many requests a second, and `burst` at once; 0 a second is no limit."""
        self._seconds_each = 1 / requests_per_second if requests_per_second else 0
        self._most_seconds = burst * self._seconds_each
        self._credits: OrderedDict[str, _Credit] = OrderedDict()

    def wait(self, caller: str, now: float) -> float:
        """Count a request; return 0 where it is admitted, else the seconds until one is.

        Args:
            caller: the name of its key, or its address.
            now: seconds of a clock that never goes back.
        """
        if not self._seconds_each:
            return 0
        held = self._credits.pop(caller, None) or _Credit(self._most_seconds, now)
        had = min(self._most_seconds, held.credit_seconds + now - held.seen_at_seconds)
        missing = max(0, self._seconds_each - had)
        self._credits[caller] = _Credit(had if missing else had - self._seconds_each, now)
        if len(self._credits) > MOST_CALLERS:
            self._credits.popitem(last=False)
        return missing
