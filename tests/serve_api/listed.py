"""A repository on plain lists: small, obviously right, and told what is published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from lake.errors import DatabaseGoneError
from serve.records import (
    Bar,
    Certificate,
    IndexPrice,
    Listing,
    Publication,
    RenderedBars,
    Run,
    Series,
    Stretch,
    Trade,
)
from serve.repository import Between

DAY = 86_400_000
Row = TypeVar("Row")
Key = tuple[int, str]


@dataclass
class ListedRepository:
    """What tests put in, asked as the Protocol says.

    `known` holds every value that a bar had, for as-of; `is_gone` makes it a database that is
    switched off.
    """

    held: list[Series] = field(default_factory=list)
    bars_held: dict[Key, list[Bar]] = field(default_factory=dict)
    known: dict[Key, list[Bar]] = field(default_factory=dict)
    runs_held: dict[Key, list[Run]] = field(default_factory=dict)
    prices: dict[int, list[IndexPrice]] = field(default_factory=dict)
    prints: dict[int, list[Trade]] = field(default_factory=dict)
    listed: list[Listing] = field(default_factory=list)
    ledger: dict[int, list[Stretch]] = field(default_factory=dict)
    checks: dict[int, list[Certificate]] = field(default_factory=dict)
    newest: Publication = field(default_factory=lambda: Publication(1, 1_704_153_600_000))
    is_gone: bool = False
    is_closed: bool = False
    asked: int = 0

    def _ask(self) -> None:
        self.asked += 1
        if self.is_gone:
            raise DatabaseGoneError("the database of the tests is gone")

    async def publication(self) -> Publication:
        self._ask()
        return self.newest

    async def series(self) -> Sequence[Series]:
        self._ask()
        return sorted(self.held, key=lambda one: one[2:6])

    async def bars(self, series_id: int, interval: str, between: Between) -> Sequence[Bar]:
        self._ask()
        rows = self.bars_held.get((series_id, interval), [])
        return cut(rows, [bar.bar_start for bar in rows], between)

    async def rendered_bars(
        self,
        series_id: int,  # noqa: ARG002 - the Protocol's
        interval: str,  # noqa: ARG002
        between: Between,  # noqa: ARG002
    ) -> RenderedBars | None:
        return None

    async def bars_as_of(
        self, series_id: int, interval: str, between: Between, as_of_us: int
    ) -> Sequence[Bar]:
        self._ask()
        newest: dict[int, Bar] = {}
        for bar in self.known.get((series_id, interval), []):
            if bar.knowledge_us is not None and bar.knowledge_us <= as_of_us:
                newest[bar.bar_start] = bar
        rows = [newest[start] for start in sorted(newest)]
        return cut(rows, [bar.bar_start for bar in rows], between)

    async def runs(
        self, series_id: int, interval: str, start: int | None, end: int | None
    ) -> Sequence[Run]:
        self._ask()
        return [
            run
            for run in self.runs_held.get((series_id, interval), [])
            if (start is None or run.until_time > start) and (end is None or run.from_time < end)
        ]

    async def close_before(self, series_id: int, interval: str, time: int) -> Bar | None:
        self._ask()
        earlier = [
            bar
            for bar in self.bars_held.get((series_id, interval), [])
            if bar.bar_start < time and bar.close is not None
        ]
        return earlier[-1] if earlier else None

    async def index_prices(self, series_id: int, between: Between) -> Sequence[IndexPrice]:
        self._ask()
        rows = self.prices.get(series_id, [])
        return cut(rows, [price.minute for price in rows], between)

    async def trades(
        self, series_id: int, between: Between, after_seq: int | None
    ) -> Sequence[Trade]:
        self._ask()
        rows = [
            trade
            for trade in self.prints.get(series_id, [])
            if after_seq is None or trade.trade_seq > after_seq
        ]
        return cut(rows, [trade.trade_time_us // 1000 for trade in rows], between)

    async def listings(self, exchange: str | None, kind: str | None) -> Sequence[Listing]:
        self._ask()
        return [
            one
            for one in self.listed
            if exchange in (None, one.exchange) and kind in (None, one.kind)
        ]

    async def stretches(self, series: Series) -> Sequence[Stretch]:
        self._ask()
        return self.ledger.get(series.series_id, [])

    async def bars_a_day(self, series_id: int, interval: str) -> Mapping[int, int]:
        self._ask()
        days: dict[int, int] = {}
        for bar in self.bars_held.get((series_id, interval), []):
            day = bar.bar_start // DAY * DAY
            days[day] = days.get(day, 0) + (1 if bar.is_complete else 0)
        return days

    async def certificates(self, series: Series, between: Between) -> Sequence[Certificate]:
        self._ask()
        rows = [
            one
            for one in self.checks.get(series.series_id, [])
            if (between.start is None or one.window_end > between.start)
            and (between.end is None or one.window_start < between.end)
        ]
        rows.sort(key=lambda one: -one.checked_at)
        return rows[: between.limit]

    async def close(self) -> None:
        self.is_closed = True


def cut(rows: Sequence[Row], times: Sequence[int], between: Between) -> list[Row]:
    """Return the rows of `[start, end)`, at most so many, in the order asked for."""
    kept = [
        row
        for row, time in zip(rows, times, strict=True)
        if (between.start is None or time >= between.start)
        and (between.end is None or time < between.end)
    ]
    return (kept[::-1] if between.newest_first else kept)[: between.limit]
