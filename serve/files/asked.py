"""What an export is asked for: which rows of which series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc


class Dataset(StrEnum):
    """What is exported: candles of gold, or prints of silver."""

    BARS = "bars"
    TRADES = "trades"
    AGG_TRADES = "agg_trades"


class Series(NamedTuple):
    """An instrument of a kind of an exchange, by the venue's own names."""

    exchange: str
    kind: str
    instrument: str

    def __str__(self) -> str:
        return " ".join(self)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows are wanted, of times `[start, end)`.

    Attributes:
        dataset: bars, trades or aggregate trades.
        interval: of bars, such as `1m`; of trades ``.
        start: None where open.
        end: None where open.
        as_of: bars as they were known at this moment; None means now.
    """

    dataset: Dataset
    interval: str = ""
    start: datetime | None = None
    end: datetime | None = None
    as_of: datetime | None = None

    @property
    def time_column(self) -> str:
        """The column that the range is of."""
        return "bar_start" if self.dataset is Dataset.BARS else "trade_timestamp"

    def of(self, series: Series) -> pc.Expression:
        """Return what holds for the rows of a series that are wanted."""
        terms = [pc.field(name) == value for name, value in series._asdict().items()]
        if self.interval:
            terms.append(pc.field("bar_interval") == self.interval)
        return met([*terms, *self._range()])

    def touches(self, year: int, month: int, day: int | None = None) -> bool:
        """Tell whether a month or a day has a part in the range."""
        first, last = _span(year, month, day)
        return (self.end is None or first < self.end) and (self.start is None or last > self.start)

    def _range(self) -> list[pc.Expression]:
        time = pc.field(self.time_column)
        start, end = (instant(one) if one else None for one in (self.start, self.end))
        terms = [time >= start] if start is not None else []
        return [*terms, *([time < end] if end is not None else [])]


def met(terms: list[pc.Expression]) -> pc.Expression:
    """Return the expression that all terms hold."""
    whole = terms[0]
    for term in terms[1:]:
        whole &= term
    return whole


def instant(moment: datetime) -> pa.Scalar:
    """Return a moment as the tables hold it: microseconds, UTC."""
    return pa.scalar(moment, pa.timestamp("us", "UTC"))


def _span(year: int, month: int, day: int | None) -> tuple[datetime, datetime]:
    if day is not None:
        first = datetime(year, month, day, tzinfo=UTC)
        return first, first.replace(hour=23, minute=59, second=59, microsecond=999_999)
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return datetime(year, month, 1, tzinfo=UTC), datetime(*following, 1, tzinfo=UTC)
