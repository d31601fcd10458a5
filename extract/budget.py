"""What an exchange grants us: request weight a minute or requests a second, one budget a host."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from lake.clock import EPOCH, to_micros

WEIGHT_HEADER = "x-mbx-used-weight-1m"
#: The exchange's minute may turn a little after ours.
TURN_SECONDS = 1.0


class Budget(Protocol):
    """Says when a request may go out. The caller holds the host's lock."""

    def reserve(self, weight: int, now: datetime) -> float:
        """Take `weight` and return 0, or take nothing and return the seconds to wait."""

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Give the reservation back and learn what the exchange counted."""

    def used_percent(self, now: datetime) -> int | None:
        """Return how much of what is granted now is used, None where nobody counts."""

    def grant(self, ceiling: int) -> None:
        """Grant `ceiling` weight a minute, on the exchange's word, and never more than at first."""

    def share_pause(self, seconds: float, now: datetime) -> None:
        """Tell whoever shares the budget that nothing may go out for `seconds`."""

    def share_ban(self, reason: str, seconds: int) -> None:
        """Tell whoever shares the budget that nothing may go out until the ban ends."""


class _OfProcess:
    """A budget of this process alone: the host itself tells its threads."""

    def grant(self, ceiling: int) -> None:
        """Only a budget of weight a minute has a ceiling."""

    def share_pause(self, seconds: float, now: datetime) -> None:
        """Nobody else shares it."""

    def share_ban(self, reason: str, seconds: int) -> None:
        """Nobody else shares it."""


class MinuteWeight(_OfProcess):
    """Binance's request weight a minute, as its header counts it.

    The header counts every process behind our address, so it is believed over our own sum.
    """

    def __init__(self, ceiling: int) -> None:
        self._most = self._ceiling = ceiling
        self._minute = -1
        self._used = 0
        self._in_flight = 0

    def grant(self, ceiling: int) -> None:
        """Grant `ceiling` from now on, and never more than at first."""
        self._ceiling = min(self._most, ceiling)

    def reserve(self, weight: int, now: datetime) -> float:
        """Take `weight`, or return the seconds until the minute turns."""
        self._turn(now)
        taken = self._used + self._in_flight
        # a request heavier than the whole ceiling goes out alone, or it never would
        if taken and taken + weight > self._ceiling:
            into_minute = to_micros(now) % 60_000_000 / 1_000_000
            return 60 - into_minute + TURN_SECONDS
        self._in_flight += weight
        return 0

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Learn the used weight; without the header our own sum stands."""
        self._turn(now)
        self._in_flight -= weight
        counted = headers.get(WEIGHT_HEADER, "")
        if not counted.isdecimal():
            self._used += weight
        elif int(counted) * 2 < self._used:
            self._used = int(counted)  # the exchange's minute has turned before ours
        else:
            self._used = max(self._used, int(counted))

    def used_percent(self, now: datetime) -> int:
        """Return the minute's used weight, requests under way included, of our share."""
        self._turn(now)
        return (self._used + self._in_flight) * 100 // self._ceiling

    def _turn(self, now: datetime) -> None:
        minute = to_micros(now) // 60_000_000
        if minute != self._minute:
            self._minute, self._used = minute, 0


class Pace(_OfProcess):
    """An even pace of requests a second, for a host that reports no usage (Deribit)."""

    def __init__(self, per_second: float) -> None:
        self._micros_each = 1_000_000 / per_second
        self._next = to_micros(EPOCH)

    def reserve(self, weight: int, now: datetime) -> float:
        """Take the next slot, or return the seconds until it comes."""
        at = to_micros(now)
        if at < self._next:
            return (self._next - at) / 1_000_000
        self._next = at + int(self._micros_each * weight)
        return 0

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Nothing comes back: the slot is spent."""

    def used_percent(self, now: datetime) -> None:
        """A pace has no sum to be a part of."""


class Unlimited(_OfProcess):
    """The bulk archive publishes no limit."""

    def reserve(self, weight: int, now: datetime) -> float:  # noqa: ARG002 - the protocol's
        """Let every request go."""
        return 0

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Nothing is counted."""

    def used_percent(self, now: datetime) -> None:
        """Nothing is counted."""
