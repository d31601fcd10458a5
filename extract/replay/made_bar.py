"""A bar that the replay exchange makes of its own trades, as the exchange makes its bars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

SECOND = 1_000
MINUTE = 60_000
HOUR = 60 * MINUTE
INTERVAL_MILLIS: Mapping[str, int] = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "6h": 6 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": 24 * HOUR,
}
#: Binance writes so where a bar has no trade.
NO_TRADE = -1


@dataclass(frozen=True, slots=True)
class MadeBar:
    """The twelve fields that REST prints, and the ids of the first and the last trade."""

    row: list[object]
    first_id: int = NO_TRADE
    last_id: int = NO_TRADE


class BarMaker(Protocol):
    """What makes bars of one symbol's trades."""

    def bar(self, length: int, start: int, until: int) -> MadeBar | None:
        """Return the bar of [start, start + length), as it stood at the end of the ms `until`.

        None where the trades held don't reach that far, or begin later.
        """
