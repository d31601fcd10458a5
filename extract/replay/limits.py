"""Counts what the replay exchange is asked, and refuses too much, as the exchanges do."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class WeightRules:
    """Binance's limit of one segment.

    Attributes:
        weight_per_minute: weight allowed in a window.
        window_seconds: 60 at the exchange; shorter for a test that waits for the end.
        ignored_before_ban: requests sent in spite of a 429 that are answered with another 429.
        ban_seconds: how long the ban (418) lasts; the exchange's shortest is two minutes.
    """

    weight_per_minute: int
    window_seconds: int = 60
    ignored_before_ban: int = 10
    ban_seconds: int = 120


@dataclass(frozen=True, slots=True)
class Charge:
    """The outcome of one request: weight used in this window, and the status that it earns."""

    used: int
    status: int = 200
    retry_after_seconds: int = 0


class WeightMeter:
    """The weight used in the running window; 429 above the limit, 418 for who goes on."""

    def __init__(self, rules: WeightRules, seconds: Seconds = time.monotonic) -> None:
        self.rules = rules
        self._seconds = seconds
        self._window = 0
        self._used = 0
        self._refused = 0
        self._banned_until: float | None = None

    def charge(self, weight: int) -> Charge:
        """Count one request and say what becomes of it."""
        now = self._seconds()
        if self._banned_until is not None and now < self._banned_until:
            return Charge(self._used, 418, math.ceil(self._banned_until - now))
        self._turn_window(now)
        self._used += weight
        if self._used <= self.rules.weight_per_minute:
            return Charge(self._used)
        self._refused += 1
        if self._refused > self.rules.ignored_before_ban:
            self._banned_until = now + self.rules.ban_seconds
            return Charge(self._used, 418, self.rules.ban_seconds)
        return Charge(self._used, 429, math.ceil(self._window_end() - now))

    def _turn_window(self, now: float) -> None:
        window = int(now // self.rules.window_seconds)
        if window != self._window:
            self._window, self._used, self._refused = window, 0, 0
            self._banned_until = None

    def _window_end(self) -> float:
        return (self._window + 1) * self.rules.window_seconds


@dataclass(frozen=True, slots=True)
class CreditRules:
    """Deribit's credit pools: what a call costs, what the pool holds, what comes back a second."""

    cost: int
    pool: int
    refill_per_second: int = 10_000


class CreditBucket:
    """One pool of credits that fills up again with time."""

    def __init__(self, rules: CreditRules, seconds: Seconds = time.monotonic) -> None:
        self.rules = rules
        self._seconds = seconds
        self._left = rules.pool
        self._filled_at = seconds()

    def take(self) -> bool:
        """Pay for one call; False where the credits do not suffice."""
        now = self._seconds()
        refill = int((now - self._filled_at) * self.rules.refill_per_second)
        if refill:
            self._left = min(self.rules.pool, self._left + refill)
            self._filled_at = now
        if self._left < self.rules.cost:
            return False
        self._left -= self.rules.cost
        return True
