"""The rows of a series, in order and in parts of bounded size, read without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lake.errors import StorageError
from lake.objects import ObjectStore
from lake.tables import GOLD_OHLCV, GOLD_OHLCV_REVISIONS, SILVER_AGG_TRADES, SILVER_TRADES, Table
from serve.files.asked import Asked, Dataset, Series, instant
from serve.files.delta import Opened, opened

#: Rows of trades in memory at once; a minute's are never parted.
PART_ROWS = 400_000
MINUTES = 24 * 60
MINUTE_US = 60_000_000
#: The order of prints of one microsecond.
SEQUENCE = {Dataset.TRADES: "trade_seq", Dataset.AGG_TRADES: "agg_id"}

BAR_COLUMNS = (
    *("exchange", "kind", "instrument", "instrument_uid", "bar_interval", "bar_start", "bar_end"),
    *("open", "high", "low", "close", "volume", "base_volume", "quote_volume", "trade_count"),
    *("taker_buy_volume", "taker_buy_base_volume", "taker_buy_quote_volume", "is_complete"),
)
_PRINT = ("exchange", "kind", "instrument", "instrument_uid")
_SAID = ("trade_timestamp", "price", "quantity", "quote_quantity", "taker_side")
PRINT_COLUMNS = {
    Dataset.TRADES: (*_PRINT, "trade_id", "trade_seq", *_SAID, "print_kind"),
    Dataset.AGG_TRADES: (*_PRINT, "agg_id", "first_trade_seq", "last_trade_seq", *_SAID),
}


def table_of(asked: Asked) -> Table:
    """Return the table that holds what is asked for."""
    if asked.dataset is Dataset.BARS:
        return GOLD_OHLCV if asked.as_of is None else GOLD_OHLCV_REVISIONS
    return SILVER_TRADES if asked.dataset is Dataset.TRADES else SILVER_AGG_TRADES


@dataclass(frozen=True, slots=True)
class Rows:
    """What is asked for, of one version of its table."""

    asked: Asked
    source: Opened

    def series(self) -> list[Series]:
        """Return which series have rows that are asked for, sorted."""
        names = list(Series._fields)
        if self.asked.dataset is not Dataset.BARS:
            days = self._days()
            return sorted(
                {Series(*_venue(file)) for file in self.source.files if _day(file) in days}
            )
        wanted = pc.field("bar_interval") == self.asked.interval
        found: set[Series] = set()
        for batch in self.source.rows.scanner(columns=names, filter=wanted).to_batches():
            different = pa.table(batch).group_by(names).aggregate([])
            found.update(Series(*row.values()) for row in different.select(names).to_pylist())
        return sorted(found)

    def count(self, series: Series) -> int:
        """Return how many rows a series has; of trades at most so many, those of whole days."""
        if self.asked.dataset is Dataset.BARS:
            return int(self.source.rows.count_rows(filter=self.asked.of(series)))
        days = self._days()
        files = (one for one in self.source.files if _venue(one) == tuple(series))
        return sum(file["num_records"] for file in files if _day(file) in days)

    def parts(self, series: Series) -> Iterator[pa.Table]:
        """Yield the rows of a series by time; a part is a month of bars, or some 400,000 prints."""
        if self.asked.dataset is Dataset.BARS:
            yield from self._months(series)
            return
        for day in self._days(series.instrument):
            yield from self._prints(series, day)

    def _months(self, series: Series) -> Iterator[pa.Table]:
        columns = list(BAR_COLUMNS)
        if self.asked.as_of is not None:
            columns += ["knowledge_timestamp", "revision"]
        for interval, year, month in self.source.partitions("bar_interval", "year", "month"):
            if interval != self.asked.interval or not self.asked.touches(year, month):
                continue
            month_of = (pc.field("year") == year) & (pc.field("month") == month)
            found = self.source.rows.to_table(columns, filter=self.asked.of(series) & month_of)
            yield self._known(found).sort_by([("bar_start", "ascending"), *_UID])

    def _known(self, bars: pa.Table) -> pa.Table:
        """Return of each bar the newest revision that was known at `as_of`."""
        if self.asked.as_of is None:
            return bars
        moment = instant(self.asked.as_of)
        were = (pc.less_equal(bars[name], moment) for name in ("knowledge_timestamp", "bar_end"))
        known = bars.filter(pc.and_(*were))
        key = ["instrument_uid", "bar_start"]
        newest = known.group_by(key).aggregate([("revision", "max")])
        marked = newest.rename_columns([*key, "revision"])
        return known.join(marked, [*key, "revision"], join_type="left semi").select(
            list(BAR_COLUMNS)
        )

    def _days(self, instrument: str | None = None) -> list[tuple[int, int, int]]:
        days = self.source.partitions("year", "month", "day", "instrument")
        return sorted(
            {
                (year, month, day)
                for year, month, day, name in days
                if self.asked.touches(year, month, day) and instrument in (None, name)
            }
        )

    def _prints(self, series: Series, day: tuple[int, int, int]) -> Iterator[pa.Table]:
        names = zip(("year", "month", "day"), day, strict=True)
        of_day = self.asked.of(series)
        for name, value in names:
            of_day &= pc.field(name) == value
        columns = list(PRINT_COLUMNS[self.asked.dataset])
        order = [("trade_timestamp", "ascending"), (SEQUENCE[self.asked.dataset], "ascending")]
        time, micros = pc.field("trade_timestamp"), pa.timestamp("us", "UTC")
        for first, last in self._cuts(of_day):
            within = (time >= pa.scalar(first, micros)) & (time < pa.scalar(last, micros))
            yield self.source.rows.to_table(columns, filter=of_day & within).sort_by(
                [*order, *_UID]
            )

    def _cuts(self, of_day: pc.Expression) -> Iterator[tuple[int, int]]:
        """Yield times `[from, until)` of a day, in µs, that hold about `PART_ROWS` rows each."""
        counts = np.zeros(MINUTES, dtype=np.int64)
        midnight = None
        for batch in self.source.rows.scanner(["trade_timestamp"], filter=of_day).to_batches():
            if not batch.num_rows:
                continue
            micros = batch.column(0).cast(pa.int64()).to_numpy()
            midnight = int(micros[0]) // (MINUTES * MINUTE_US) * MINUTES * MINUTE_US
            minutes = (micros - midnight) // MINUTE_US
            counts += np.bincount(minutes, minlength=MINUTES)
        if midnight is None:
            return
        first, held = 0, 0
        for minute, count in enumerate(counts):
            if held and held + count > PART_ROWS:
                yield midnight + first * MINUTE_US, midnight + minute * MINUTE_US
                first, held = minute, 0
            held += int(count)
        yield midnight + first * MINUTE_US, midnight + MINUTES * MINUTE_US


_UID = [("instrument_uid", "ascending")]


def rows_of(store: ObjectStore, asked: Asked) -> Rows:
    """Open what holds the rows that are asked for.

    Raises:
        StorageError: the lake has no such table yet, or it can't be read.
    """
    table = table_of(asked)
    source = opened(store, table)
    if source is None:
        raise StorageError(
            f"the table {table.name} does not exist in this lake",
            where=store.location(table.path),
            hint="Run ./spark-submit.sh pipeline first.",
        )
    return Rows(asked, source)


def _venue(file: dict[str, Any]) -> tuple[str, str, str]:
    """Return whose prints a file holds: it never mixes two exchanges or kinds."""
    return file["min.exchange"], file["min.kind"], file["partition.instrument"]


def _day(file: dict[str, Any]) -> tuple[int, int, int]:
    return file["partition.year"], file["partition.month"], file["partition.day"]
