"""Sends Deribit's trades, gathered in slots."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby

from extract.replay.deribit_tape import DeribitTrade
from extract.replay.streams.deribit_frames import notification


class Trades:
    """`trades.…`: the trades of one instrument, or of all of a kind and currency, in slots."""

    def __init__(self, channel: str, trades: Iterable[DeribitTrade], slot_ms: int) -> None:
        self._channel = channel
        self._slot_ms = slot_ms
        self._trades = sorted(trades, key=_by_time)
        self._times = [trade.time for trade in self._trades]

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return a message for each slot that ends in (after, until] and has trades."""
        first = bisect_left(self._times, after_ms - after_ms % self._slot_ms)
        last = bisect_left(self._times, until_ms - until_ms % self._slot_ms)
        slots = groupby(self._trades[first:last], lambda trade: trade.time // self._slot_ms)
        return [
            notification(self._channel, [trade.to_json() for trade in trades])
            for _, trades in slots
        ]


def _by_time(trade: DeribitTrade) -> tuple[int, str, int]:
    return trade.time, trade.instrument.family, trade.trade_number
