"""Trades of chosen instruments and days: a day that was chosen once is kept as silver has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from jobs.options import names_in
from jobs.publishing.bars import ROWS_AT_ONCE, Listing
from lake.clock import from_millis, to_millis
from lake.errors import UsageError
from lake.storage import Slice
from lake.tables import GOLD_OHLCV, SILVER_AGG_TRADES, SILVER_TRADES, Table
from serve.database.intervals import DAY_MS
from serve.database.rendering import exact_text
from serve.publishing.publisher import Publisher
from serve.publishing.series import Name, numbered, series_held
from serve.publishing.trades import Held, days_held, put_day

SILVER = {"trades": SILVER_TRADES, "agg_trades": SILVER_AGG_TRADES}
TABLES = {table.name: table for table in SILVER.values()}
#: An aggregate stands under its first trade's number, and says what it is.
COLUMNS = {
    SILVER_TRADES.name: ("trade_seq", "trade_id", "print_kind"),
    SILVER_AGG_TRADES.name: ("first_trade_seq", "CAST(agg_id AS STRING)", "'aggregate'"),
}
HOURS = 24


class Choice(NamedTuple):
    """One UTC day of one instrument."""

    listing: Listing
    day: date


def choices_of(trades: str | None, days: str | None) -> tuple[Choice, ...]:
    """Return the days that the options choose.

    Raises:
        UsageError: one of the two is missing, or can't be read.
    """
    if (trades is None) != (days is None):
        raise UsageError("--trades needs --days beside it, and --days needs --trades")
    listings = []
    for text in names_in(trades):
        exchange, _, rest = text.partition("/")
        kind, _, instrument = rest.partition("/")
        if not (exchange and kind and instrument):
            raise UsageError(
                f"--trades '{text}' is no exchange/kind/instrument",
                hint="For example --trades binance/spot/BTCUSDT --days 2024-01-01.",
            )
        listings.append((exchange, kind, instrument))
    chosen = [day for text in names_in(days) for day in _days(text)]
    return tuple(Choice(listing, day) for listing in listings for day in chosen)


async def publish(
    publisher: Publisher, context: Context, choices: Sequence[Choice], *, is_incomplete: bool
) -> Sequence[Choice]:
    """Publish the days that are chosen now, and what has changed in those chosen before.

    Args:
        publisher: open.
        context: the run.
        choices: of this run.
        is_incomplete: whether a day is published before it is complete.

    Returns:
        The days that wait for their instrument's complete-until mark.

    Raises:
        UsageError: gold has no bar of a day that is chosen.
    """
    names = {number: name for name, number in (await series_held(publisher)).items()}
    days = await days_held(publisher)
    held = {(names[series_id], day): one for (series_id, day), one in days.items()}
    waiting = []
    wanted: dict[tuple[Name, int], str] = {key: one.table_name for key, one in held.items()}
    marks = await _marks(publisher)
    for choice in choices:
        start = to_millis(datetime.combine(choice.day, datetime.min.time(), UTC))
        if not is_incomplete and marks.get(choice.listing, 0) < start + DAY_MS:
            waiting.append(choice)
            continue
        name, table = _source(context, choice)
        wanted[name, start] = table.name
    for (name, start), table_name in sorted(wanted.items()):
        await _put(publisher, context, (name, start, TABLES[table_name]), held.get((name, start)))
    return waiting


async def _marks(publisher: Publisher) -> dict[Listing, int]:
    found = await publisher.rows(
        "SELECT exchange, kind, instrument, complete_until FROM marks"  # noqa: S608 - our own name
        f" WHERE table_name = '{GOLD_OHLCV.name}'"
    )
    return {(row[0], row[1], row[2]): row[3] for row in found}


async def _put(
    publisher: Publisher, context: Context, of: tuple[Name, int, Table], held: Held | None
) -> None:
    name, start, table = of
    version = context.tables.version(table)
    within = _within(name, start)
    if held == Held(version, table.name):
        return
    if held is not None and held.table_name == table.name:
        feed = context.tables.changed_between(table, held.version + 1, version)
        if feed is not None and feed.where(within).isEmpty():
            return
    number = (await numbered(publisher, [name]))[name]
    rows = context.tables.read_version(table, version).where(within)
    chunks = _chunks(rows, number, table)
    await put_day(publisher, (number, start), chunks, Held(version, table.name))


def _within(name: Name, start: int) -> str:
    day = from_millis(start).date()
    listing = Slice(((name.exchange, name.kind),), (int(f"{day:%Y%m%d}"),), (name.instrument,))
    return listing.predicate()


def _chunks(rows: DataFrame, number: int, table: Table) -> Iterator[pa.Table]:
    seq, trade_id, print_kind = COLUMNS[table.name]
    shaped = rows.select(
        F.expr(f"CAST({number} AS INT) AS series_id"),
        F.expr(f"{seq} AS trade_seq"),
        F.expr(f"{trade_id} AS trade_id"),
        F.unix_micros("trade_timestamp").alias("trade_time_us"),
        *("price", "quantity", "quote_quantity", "taker_side"),
        F.expr(f"{print_kind} AS print_kind"),
    )
    parts = [shaped]
    if rows.count() > ROWS_AT_ONCE:
        hour = F.expr("trade_time_us div 3600000000 % 24")
        parts = [shaped.where(hour == one) for one in range(HOURS)]
    for part in parts:
        taken = part.toArrow()
        columns = [
            exact_text(column) if pa.types.is_decimal(column.type) else column
            for column in taken.columns
        ]
        yield pa.table(columns, names=taken.column_names).sort_by("trade_seq")


def _source(context: Context, choice: Choice) -> tuple[Name, Table]:
    """Return the listing's identity, and from which table its bars of the day are built.

    Raises:
        UsageError: gold has no bar of it.
    """
    start = datetime.combine(choice.day, datetime.min.time(), UTC)
    end = start + timedelta(days=1)
    within = Slice((choice.listing[:2],), (), (choice.listing[2],)).predicate()
    bars = context.tables.read(GOLD_OHLCV).where(within).where("bar_interval = '1m'")
    bars = bars.where((F.col("bar_start") >= F.lit(start)) & (F.col("bar_start") < F.lit(end)))
    found = bars.select("instrument_uid", "built_from").distinct().orderBy("built_from").collect()
    if not found:
        raise UsageError(
            f"gold has no bar of {'/'.join(choice.listing)} on {choice.day}",
            hint="Run the pipeline for that day first.",
        )
    # aggregates are the only whole source where a minute had to be built from them
    first = found[0]
    return Name("bars", *choice.listing, first["instrument_uid"]), SILVER[first["built_from"]]


def _days(text: str) -> Iterator[date]:
    first, _, last = text.partition("..")
    try:
        start = date.fromisoformat(first)
        end = date.fromisoformat(last or first)
    except ValueError:
        raise UsageError(
            f"--days '{text}' is no day and no range of days",
            hint="For example --days 2024-01-01 or --days 2024-01-01..2024-01-07.",
        ) from None
    for step in range((end - start).days + 1):
        yield start + timedelta(days=step)
