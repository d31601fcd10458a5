"""Pages spot's bars while the clock runs: recorded ones once they have closed, and made ones."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from extract.replay.bar_tape import BarTape, KlineRow, kline_row
from extract.replay.made_bar import INTERVAL_MILLIS
from extract.replay.spot_bars import SpotBars


class LiveBars:
    """The bars of one symbol and interval as they stand at a moment; the last may be forming."""

    def __init__(self, recorded: BarTape | None, made: SpotBars, interval: str, now: int) -> None:
        self._recorded = {} if recorded is None else recorded.closed(now)
        self._made = made
        self._length = INTERVAL_MILLIS.get(interval)
        self._now = now

    def page(self, start_ms: int | None, end_ms: int | None, limit: int) -> list[KlineRow]:
        """Return at most `limit` bars opened within [start, end]: oldest first if a start is given.

        Without a start they are the newest ones up to the end (or of all). Always sorted by time.
        """
        opened = set(self._recorded)
        if self._length is not None:
            opened.update(self._made.starts(self._length, self._now))
        order = sorted(opened)
        first = 0 if start_ms is None else bisect_left(order, start_ms)
        last = len(order) if end_ms is None else bisect_right(order, end_ms)
        chosen = order[first:last]
        rows = map(self._row, chosen[-limit:] if start_ms is None else chosen[:limit])
        return [row for row in rows if row is not None]

    def _row(self, opened: int) -> KlineRow | None:
        if opened in self._recorded:
            return kline_row(self._recorded[opened])
        if self._length is None:
            return None
        known = min(self._now, opened + self._length - 1)
        made = self._made.bar(self._length, opened, min(known, self._made.last_known(opened)))
        return None if made is None else made.row
