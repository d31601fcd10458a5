"""Holds one generated contract: its trades, aggregates and bars, made when first asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property, lru_cache

from extract.replay.futures_bars import bar_row, klines
from extract.replay.futures_tape import (
    WINDOW_END,
    Contract,
    FuturesAggregate,
    FuturesTrade,
    aggregates,
    generate,
)
from extract.replay.made_bar import INTERVAL_MILLIS, MadeBar
from extract.replay.perpetual_tape import mark_bars, mark_minutes, mark_row


class FuturesTape:
    """The generated trades, aggregates and bars of one contract, made when first asked for."""

    def __init__(self, contract: Contract, seed: int) -> None:
        self.contract = contract
        self._seed = seed
        self.klines = lru_cache(maxsize=len(INTERVAL_MILLIS))(self._klines)
        self.mark_klines = lru_cache(maxsize=len(INTERVAL_MILLIS))(self._mark_klines)

    @cached_property
    def trades(self) -> list[FuturesTrade]:
        """Every trade, by id."""
        return generate(self.contract, self._seed)

    @cached_property
    def aggregates(self) -> list[FuturesAggregate]:
        """Every aggregate, by id."""
        return aggregates(self.trades, self.contract.first_id // 2)

    @cached_property
    def _trade_times(self) -> list[int]:
        return [trade.time for trade in self.trades]

    @cached_property
    def _aggregate_times(self) -> list[int]:
        return [aggregate.time for aggregate in self.aggregates]

    def trades_between(self, after_ms: int, until_ms: int) -> list[FuturesTrade]:
        """Return the trades of (after, until]."""
        first = bisect_right(self._trade_times, after_ms)
        return self.trades[first : bisect_right(self._trade_times, until_ms)]

    def aggregates_between(self, after_ms: int, until_ms: int) -> list[FuturesAggregate]:
        """Return the aggregates of (after, until], by the time of their first trade."""
        first = bisect_right(self._aggregate_times, after_ms)
        return self.aggregates[first : bisect_right(self._aggregate_times, until_ms)]

    def bar(self, length: int, start: int, until: int) -> MadeBar | None:
        """Return the bar of [start, start + length) as it stood at `until`; see `BarMaker`."""
        if until >= WINDOW_END or until < self.trades[0].time:
            return None
        first = bisect_left(self._trade_times, start)
        inside = self.trades[
            first : bisect_right(self._trade_times, min(until, start + length - 1))
        ]
        previous = self.trades[max(0, first - 1)].price
        row = bar_row(self.contract, inside, start, length, previous)
        return MadeBar(row, inside[0].trade_id, inside[-1].trade_id) if inside else MadeBar(row)

    def _klines(self, interval: str, now_ms: int) -> list[list[object]]:
        return klines(self.contract, self.trades, interval, now_ms)

    def _mark_klines(self, interval: str, now_ms: int) -> list[list[object]]:
        length = INTERVAL_MILLIS[interval]
        minutes = mark_minutes(self.contract, self._seed, now_ms)
        return [mark_row(bar, length) for bar in mark_bars(minutes, length)]
