"""What can be counted of a lake: how fresh, how complete and how costly each dataset is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from lake.clock import EPOCH, from_millis
from lake.table_log import files_of
from lake.tables import (
    GOLD_OHLCV,
    OPS_CONTINUITY,
    OPS_RUNS,
    OPS_WATERMARKS,
    SILVER_AGG_TRADES,
    SILVER_INSTRUMENTS,
    SILVER_TRADES,
    Table,
)

CANDLES = "candles"
PRINTS: Mapping[str, Table] = {"trades": SILVER_TRADES, "agg_trades": SILVER_AGG_TRADES}
DATASETS: Mapping[str, Table] = {**PRINTS, CANDLES: GOLD_OHLCV}
#: A hole that the exchange's own answers have: nobody can fill it.
OF_THE_EXCHANGE = "left_out"
LISTING = ("exchange", "kind", "instrument")
Listing = tuple[str, str, str]
#: What brings prints to candles.
JOB = "pipeline"


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """A dataset of one instrument.

    Attributes:
        complete_until: None where nothing was proved yet.
        complete_share: of its ids or candles; None where there are none to count.
        is_over: whether the instrument has expired or left the exchange: nothing new comes.
    """

    dataset: str
    listing: Listing
    complete_until: datetime | None
    complete_share: float | None
    is_over: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a dataset costs; None where nothing is there to be counted."""

    dataset: str
    rows: int
    bytes: int
    bytes_per_million_rows: int | None
    requests_per_million_rows: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was counted, at one moment."""

    now: datetime
    series: tuple[Series, ...]
    costs: tuple[Cost, ...]
    run_seconds_per_million_rows: float | None


def measure(context: Context, window_days: int) -> Measured:
    """Count.

    Args:
        context: the run.
        window_days: of which candles, requests and runs are counted; 0 is all.

    Raises:
        StorageError: a table can't be read.
    """
    now = context.clock.now()
    since = now - timedelta(days=window_days) if window_days else EPOCH
    over = _over(context, now)
    series = [*_of_prints(context, over), *_of_candles(context, since, over)]
    costs = [_cost(context, name, since) for name in DATASETS]
    return Measured(now, tuple(sorted(series)), tuple(costs), _run_seconds(context, since))


def _over(context: Context, now: datetime) -> set[Listing]:
    """Return the instruments of which nothing new comes."""
    listings = context.tables.read(SILVER_INSTRUMENTS)
    last = F.max_by(F.struct("valid_to", "expiry", "delisted_at"), F.col("valid_from")).alias(
        "last"
    )
    is_over = F.col("last.valid_to").isNotNull() | (
        F.least("last.expiry", "last.delisted_at") <= F.lit(now)
    )
    found = listings.groupBy(*LISTING).agg(last).where(is_over).select(*LISTING).collect()
    return {(row[0], row[1], row[2]) for row in found}


def _of_prints(context: Context, over: set[Listing]) -> Iterator[Series]:
    ids = F.greatest(F.lit(0).cast("bigint"), F.col("last_id") - F.col("first_id") + 1)
    is_held = F.col("entry") == "held"
    is_missed = (F.col("entry") == "hole") & (F.col("state") == "open")
    is_missed &= ~F.col("cause").eqNullSafe(F.lit(OF_THE_EXCHANGE))
    rows = (
        context.tables.read(OPS_CONTINUITY)
        .where(F.col("dataset").isin(*PRINTS))
        .groupBy("dataset", *LISTING)
        .agg(
            F.max(F.when(is_held, F.unix_millis("proved_until"))),
            F.sum(F.when(is_held, ids)),
            F.sum(F.when(is_missed, ids)),
        )
    )
    for dataset, *listing, until, held, missed in rows.collect():
        share = None if not held else held / (held + (missed or 0))
        yield _series(dataset, listing, until, share, over)


def _of_candles(context: Context, since: datetime, over: set[Listing]) -> Iterator[Series]:
    marks = context.tables.read(OPS_WATERMARKS).where(F.col("table_name") == GOLD_OHLCV.name)
    until = {tuple(row[:3]): row[3] for row in _marked(marks).collect()}
    bars = (
        context.tables.read(GOLD_OHLCV)
        .where("bar_interval = '1m'")
        .where(_since("bar_start", since))
    )
    counted = bars.groupBy(*LISTING).agg(F.count_if("is_complete"), F.count(F.lit(1)))
    shares = {tuple(row[:3]): row[3] / row[4] for row in counted.collect()}
    for listing in sorted(until.keys() | shares.keys()):
        yield _series(CANDLES, list(listing), until.get(listing), shares.get(listing), over)


def _marked(marks: DataFrame) -> DataFrame:
    return marks.select(*LISTING, F.unix_millis("complete_until"))


def _series(
    dataset: str, listing: list[str], until: int | None, share: float | None, over: set[Listing]
) -> Series:
    name = (listing[0], listing[1], listing[2])
    moment = None if until is None else from_millis(until)
    return Series(dataset, name, moment, share, name in over)


def _cost(context: Context, dataset: str, since: datetime) -> Cost:
    table = DATASETS[dataset]
    count = F.get_json_object("stats", "$.numRecords").cast("bigint")
    told = files_of(context.spark, context.store, table).agg(F.sum("size"), F.sum(count)).collect()
    size, rows = told[0][0] or 0, told[0][1] or 0
    requests = _requests(context, table, since) if dataset in PRINTS else None
    return Cost(dataset, rows, size, _a_million(size, rows), requests)


def _requests(context: Context, table: Table, since: datetime) -> int | None:
    """Return how many answers it took to get a million rows that were asked for."""
    asked = context.tables.read(table).where("source = 'history'").where(_days_since(since))
    answer = F.struct("bronze_file", "bronze_line")
    answers, rows = asked.agg(F.approx_count_distinct(answer), F.count(F.lit(1))).collect()[0]
    return _a_million(answers, rows)


def _a_million(count: int, rows: int) -> int | None:
    """Return a count for a million rows, None where there are no rows."""
    return count * 1_000_000 // rows if rows else None


def _run_seconds(context: Context, since: datetime) -> float | None:
    """Return how long the main job ran for a million prints that it brought in."""
    runs = (
        context.tables.read(OPS_RUNS).where(F.col("job") == JOB).where(_since("started_at", since))
    )
    lasted = F.sum(F.unix_millis("ended_at") - F.unix_millis("started_at"))
    seconds = (runs.agg(lasted).collect()[0][0] or 0) / 1000
    rows = sum(
        context.tables.read(table).where(_since("knowledge_timestamp", since)).count()
        for table in PRINTS.values()
    )
    return seconds * 1_000_000 / rows if rows else None


def _since(column: str, since: datetime) -> Column:
    return F.col(column) >= F.lit(since)


def _days_since(since: datetime) -> Column:
    day = since.year * 10_000 + since.month * 100 + since.day
    return F.expr(f"year * 10000 + month * 100 + day >= {day}")
