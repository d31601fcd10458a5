"""What a lake holds, told from the tables' own logs and columns, without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from lake.objects import ObjectStore
from lake.tables import (
    GOLD_FUNDING_RATES,
    GOLD_MARK_OHLCV,
    GOLD_OHLCV,
    SILVER_AGG_TRADES,
    SILVER_INDEX_PRICES,
    SILVER_KLINES,
    SILVER_TRADES,
    Table,
)
from serve.files.delta import Opened, opened

#: Each table, the time of its rows, and whether they are of an interval.
TIMES: tuple[tuple[Table, str, bool], ...] = (
    (GOLD_OHLCV, "bar_start", True),
    (GOLD_MARK_OHLCV, "bar_start", True),
    (GOLD_FUNDING_RATES, "settlement_timestamp", False),
    (SILVER_TRADES, "trade_timestamp", False),
    (SILVER_AGG_TRADES, "trade_timestamp", False),
    (SILVER_KLINES, "open_time", True),
    (SILVER_INDEX_PRICES, "minute", False),
)
#: Their logs tell all: a file is of one exchange, kind and instrument.
BY_LOG = (SILVER_TRADES, SILVER_AGG_TRADES)


class Holding(NamedTuple):
    """What a table holds of an instrument and interval; `first` and `last` are times of rows.

    The times of trades are to the millisecond, rounded down.
    """

    exchange: str
    kind: str
    instrument: str
    table: str
    bar_interval: str | None
    first: datetime
    last: datetime
    rows: int


@dataclass(slots=True)
class _Tally:
    first: datetime
    last: datetime
    rows: int

    def add(self, first: datetime, last: datetime, rows: int) -> None:
        self.first, self.last = min(self.first, first), max(self.last, last)
        self.rows += rows


_Key = tuple[str, str, str, str | None]


def holdings(store: ObjectStore) -> list[Holding]:
    """Return what gold and silver hold, sorted by instrument, table and length of interval."""
    found = [
        Holding(*key[:3], table.name, key[3], tally.first, tally.last, tally.rows)
        for table, time, of_interval in TIMES
        if (source := opened(store, table)) is not None
        for key, tally in _tallies(source, time, of_interval=of_interval).items()
    ]
    return sorted(found, key=_order)


def _order(holding: Holding) -> tuple[Any, ...]:
    interval = holding.bar_interval or ""
    # 1m 5m 15m 1h 4h 1d: by unit, then by number
    length = ("mhd".find(interval[-1:]), int(interval[:-1])) if interval[:-1].isdigit() else (0, 0)
    return (*holding[:4], length, interval)


def _tallies(source: Opened, time: str, *, of_interval: bool) -> dict[_Key, _Tally]:
    found: dict[_Key, _Tally] = {}
    pieces = (
        _logged(source, time) if source.table in BY_LOG else _scanned(source, time, of_interval)
    )
    for key, first, last, rows in pieces:
        if key in found:
            found[key].add(first, last, rows)
        else:
            found[key] = _Tally(first, last, rows)
    return found


def _logged(source: Opened, time: str) -> Iterator[tuple[_Key, datetime, datetime, int]]:
    for file in source.files:
        key = (file["min.exchange"], file["min.kind"], file["partition.instrument"], None)
        yield key, file[f"min.{time}"], file[f"max.{time}"], file["num_records"]


def _scanned(
    source: Opened,
    time: str,
    of_interval: bool,  # noqa: FBT001 - passed on
) -> Iterator[tuple[_Key, datetime, datetime, int]]:
    names = ["exchange", "kind", "instrument", *(["bar_interval"] if of_interval else [])]
    wanted = [(time, "min"), (time, "max"), (time, "count")]
    for batch in source.rows.scanner([*names, time]).to_batches():
        for row in pa.table(batch).group_by(names).aggregate(wanted).to_pylist():
            key = (row["exchange"], row["kind"], row["instrument"], row.get("bar_interval"))
            yield key, row[f"{time}_min"], row[f"{time}_max"], row[f"{time}_count"]
