"""What the API asks of a serving database, whichever it is. Every answer is read-only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

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


class Between(NamedTuple):
    """Times `[start, end)` in ms, None where open; at most `limit` rows, newest first or last."""

    start: int | None
    end: int | None
    limit: int
    newest_first: bool = False


class Repository(Protocol):
    """The serving database.

    Every method raises `DatabaseGoneError` where the database can't be asked; the next call tries
    anew, no restart is needed.
    """

    async def publication(self) -> Publication:
        """Return the newest publication; number 0 where nothing was published."""
        ...

    async def series(self) -> Sequence[Series]:
        """Return every series, sorted by exchange, kind, instrument and uid."""
        ...

    async def bars(self, series_id: int, interval: str, between: Between) -> Sequence[Bar]:
        """Return current bars by `bar_start`."""
        ...

    async def rendered_bars(
        self, series_id: int, interval: str, between: Between
    ) -> RenderedBars | None:
        """Return current bars as JSON ready to be sent, at most `between.limit`.

        They are those of `bars` in the columns that `RenderedBars` names, far quicker. None where
        the repository keeps no rendered bars: then ask for `bars`.
        """
        ...

    async def bars_as_of(
        self, series_id: int, interval: str, between: Between, as_of_us: int
    ) -> Sequence[Bar]:
        """Return the bars as they were known at a moment (µs), as `ohlcv_as_of(t)` does."""
        ...

    async def runs(
        self, series_id: int, interval: str, start: int | None, end: int | None
    ) -> Sequence[Run]:
        """Return the stretches without prints that touch `[start, end)`, by time."""
        ...

    async def close_before(self, series_id: int, interval: str, time: int) -> Bar | None:
        """Return the newest bar with a price that starts before `time`."""
        ...

    async def index_prices(self, series_id: int, between: Between) -> Sequence[IndexPrice]:
        """Return prices by minute, one a minute."""
        ...

    async def trades(
        self, series_id: int, between: Between, after_seq: int | None
    ) -> Sequence[Trade]:
        """Return trades by `trade_seq`, behind `after_seq` where given; of published days alone."""
        ...

    async def listings(self, exchange: str | None, kind: str | None) -> Sequence[Listing]:
        """Return instruments, sorted by exchange, kind, instrument and `valid_from`."""
        ...

    async def stretches(self, series: Series) -> Sequence[Stretch]:
        """Return the ledger of a series, by dataset and `first_id`."""
        ...

    async def bars_a_day(self, series_id: int, interval: str) -> Mapping[int, int]:
        """Return how many complete bars each UTC day has, by the day's start in ms."""
        ...

    async def certificates(self, series: Series, between: Between) -> Sequence[Certificate]:
        """Return certificates whose window touches `[start, end)`, newest check first."""
        ...

    async def close(self) -> None:
        """Give all connections back."""
        ...
