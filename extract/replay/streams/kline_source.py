"""Sends a bar as it grows and once when it has closed, quiet bars too."""

from __future__ import annotations

from collections.abc import Sequence

from extract.replay.made_bar import INTERVAL_MILLIS, SECOND, BarMaker
from extract.replay.streams import binance_frames as write

#: Spot sends every 2 seconds, its 1s bars every second; futures every 250 ms (docs of each).
SPOT_PACE = 2_000
FUTURES_PACE = 250
PREFIX = "kline_"


class Klines:
    """`@kline_<interval>` of one symbol.

    At a bar's edge the bar that ends there is sent as closed; between edges the running one, as it
    stands. What the tape does not hold whole is never sent.
    """

    def __init__(self, maker: BarMaker, symbol: str, interval: str, pace_ms: int) -> None:
        self._maker = maker
        self._symbol = symbol
        self._interval = interval
        self._length = SECOND if interval == "1s" else INTERVAL_MILLIS[interval]
        self._pace = min(pace_ms, self._length)

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the updates of (after, until]."""
        first = after_ms - after_ms % self._pace + self._pace
        sent = (self._at(moment) for moment in range(first, until_ms + 1, self._pace))
        return [payload for payload in sent if payload is not None]

    def _at(self, moment: int) -> bytes | None:
        is_closed = moment % self._length == 0
        start = moment - (self._length if is_closed else moment % self._length)
        made = self._maker.bar(self._length, start, moment - 1)
        if made is None:
            return None
        return write.kline(self._symbol, self._interval, made, moment, is_closed=is_closed)


def kline_source(
    maker: BarMaker, symbol: str, kind: str, *, pace_ms: int, seconds_allowed: bool = False
) -> Klines | None:
    """Return the source of `kline_<interval>`; None for another kind, or an unknown interval."""
    interval = kind.removeprefix(PREFIX)
    known = interval in INTERVAL_MILLIS or (seconds_allowed and interval == "1s")
    return Klines(maker, symbol, interval, pace_ms) if kind.startswith(PREFIX) and known else None
