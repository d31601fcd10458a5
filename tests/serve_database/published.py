"""What a lake and a database hold, told alike, and runs of the job between the two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from pyspark.sql import Row
from pyspark.sql import functions as F  # noqa: N812

from jobs import catalog, publish
from jobs.context import Context
from jobs.options import segments_of
from jobs.publishing import bars
from lake.clock import to_iso
from lake.tables import GOLD_OHLCV
from serve.database.address import Address
from serve.database.intervals import MINUTES, length_ms
from serve.database.repository import SqlRepository, repository_at
from serve.records import Bar, plain
from serve.repository import Between

Found = TypeVar("Found")
EVERYTHING = Between(None, None, 1_000_000)
DECIMALS = ("open", "high", "low", "close", "volume", "base_volume", "quote_volume")
BOUGHT = ("taker_buy_volume", "taker_buy_base_volume", "taker_buy_quote_volume")


def served(context: Context, address: Address) -> Context:
    """Return the run with this database in its settings."""
    change: dict[str, Any] = {"database_url": "", "database_password": None}
    if address.is_postgres:
        change = {"database_url": address.shown, "database_password": address.password}
    settings = context.settings
    serve = settings.serve.model_copy(update=change)
    return replace(context, settings=settings.model_copy(update={"serve": serve}))


def wanted(instruments: str | None = None, *, incomplete: bool = False) -> bars.Wanted:
    named = ("binance", "spot", instruments) if instruments else (None, None, None)
    return bars.Wanted(segments_of(*named), tuple(MINUTES), incomplete)


def run(context: Context, address: Address, **named: Any) -> publish.Outcome:
    return publish.run(served(context, address), wanted(**named))


def asked(address: Address, question: Callable[[SqlRepository], Awaitable[Found]]) -> Found:
    async def go() -> Found:
        repository = repository_at(address)
        try:
            return await question(repository)
        finally:
            await repository.close()

    return asyncio.run(go())


def bars_held(address: Address) -> dict[tuple[str, str, str], list[Bar]]:
    """Return all bars of a database, by kind, instrument and interval."""

    async def read(ask: SqlRepository) -> dict[tuple[str, str, str], list[Bar]]:
        found = {}
        for series in await ask.series():
            for interval in MINUTES:
                rows = list(await ask.bars(series.series_id, interval, EVERYTHING))
                if rows:
                    found[series.kind, series.instrument, interval] = rows
        return found

    return asked(address, read)


def bars_as_of(address: Address, moment: int) -> dict[tuple[str, str, str], list[Bar]]:
    """Return all bars of a database as they were known at a moment (µs)."""

    async def read(ask: SqlRepository) -> dict[tuple[str, str, str], list[Bar]]:
        found = {}
        for series in await ask.series():
            for interval in MINUTES:
                rows = await ask.bars_as_of(series.series_id, interval, EVERYTHING, moment)
                if rows:
                    found[series.kind, series.instrument, interval] = list(rows)
        return found

    return asked(address, read)


def bars_of_gold(context: Context, until: int | None = None) -> dict[Any, list[Bar]]:
    """Return all candles of gold that end by a time (ms), in the database's form."""
    rows = context.tables.read(GOLD_OHLCV)
    if until is not None:
        rows = rows.where(F.unix_millis("bar_end") <= until)
    return _grouped(rows.collect())


def bars_of_gold_as_of(context: Context, moment: datetime) -> dict[Any, list[Bar]]:
    statement = f"select * from ohlcv_as_of(timestamp'{to_iso(moment)}')"  # noqa: S608
    return _grouped(context.spark.sql(catalog.with_views(context, statement)).collect())


def filled_of_gold(context: Context) -> dict[Any, list[Bar]]:
    statement = "select * from gold.ohlcv_filled"
    return _grouped(context.spark.sql(catalog.with_views(context, statement)).collect())


def _grouped(rows: list[Row]) -> dict[Any, list[Bar]]:
    found: dict[Any, list[Bar]] = {}
    for row in rows:
        key = (row["kind"], row["instrument"], row["bar_interval"])
        found.setdefault(key, []).append(bar_of(row))
    return {key: sorted(bars) for key, bars in found.items()}


def bar_of(row: Row) -> Bar:
    """Return a row of gold as the database tells it: by columns, not by the code under test."""
    start = _micros(row["bar_start"]) // 1000
    known = row["knowledge_timestamp"]
    told = {
        **row.asDict(),
        **{name: _exact(row[name]) for name in (*DECIMALS, *BOUGHT)},
        "bar_start": start,
        "bar_end": start + length_ms(MINUTES[row["bar_interval"]]),
        "is_filled": "is_filled" in row and row["is_filled"],
        "knowledge_us": None if known is None else _micros(known),
    }
    return Bar(**{name: told[name] for name in Bar._fields})


def _exact(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1)) // (datetime.resolution)
