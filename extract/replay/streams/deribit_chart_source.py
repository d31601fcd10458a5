"""Sends Deribit's bars as they grow; no message says that a bar has closed."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from itertools import chain

from extract.replay.deribit_bars import FIELDS, RESOLUTION_MILLIS, bar_of
from extract.replay.deribit_tape import DeribitTrade
from extract.replay.exact_json import number
from extract.replay.futures_tape import WINDOW_END, WINDOW_START
from extract.replay.made_bar import SECOND
from extract.replay.streams.deribit_frames import notification


class Chart:
    """`chart.trades.{instrument}.{resolution}`.

    The running bar is sent in each second in which it was traded; one without a trade is sent when
    it ends, flat, as the docs say of the filling sample.
    """

    def __init__(self, channel: str, trades: Sequence[DeribitTrade], resolution: str) -> None:
        self._channel = channel
        self._trades = trades
        self._times = [trade.time for trade in trades]
        self._length = RESOLUTION_MILLIS[resolution]
        last = self._times[-1]
        self._end = WINDOW_END if last >= WINDOW_START else last - last % SECOND + SECOND

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the updates of (after, until]."""
        first = after_ms - after_ms % SECOND + SECOND
        sent = map(self._at, range(first, min(until_ms, self._end) + 1, SECOND))
        return [payload for payload in sent if payload is not None]

    def _at(self, moment: int) -> bytes | None:
        tick = (moment - 1) // self._length * self._length
        begun, second, end = (bisect_left(self._times, t) for t in (tick, moment - SECOND, moment))
        is_filling = begun == end and moment == tick + self._length
        previous = self._price_before(begun, end)
        if previous is None or (second == end and not is_filling):
            return None
        bar = bar_of(tick, self._trades[begun:end], previous)
        values = {name: number(getattr(bar, name)) for name in FIELDS}
        return notification(self._channel, {"tick": tick, **values})

    def _price_before(self, begun: int, end: int) -> Decimal | None:
        """Return the price that a bar of the trades [begun, end) opens with; None before any."""
        earlier = (trade for trade in reversed(self._trades[:begun]) if trade.sets_price)
        inside = (trade for trade in self._trades[begun:end] if trade.sets_price)
        found = next(chain(earlier, inside), None)
        return None if found is None else found.price
