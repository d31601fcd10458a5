"""Prices of indexes: one a minute, the one nearest to the minute's end of all sources."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from jobs.publishing.bars import Wanted
from lake.tables import SILVER_INDEX_PRICES
from serve.database.rendering import exact_text
from serve.publishing import index_prices
from serve.publishing.publisher import Publisher
from serve.publishing.series import Name, numbered, tell_index_times

MINUTE_US = 60_000_000
IDENTITY = ("exchange", "kind", "instrument", "instrument_uid")


async def publish(
    publisher: Publisher, context: Context, wanted: Wanted, held: Mapping[str, int]
) -> None:
    """Publish the minutes of which a price is new, another, or gone.

    All indexes of an exchange are published together: `wanted` says of which exchanges.

    Args:
        publisher: open.
        context: the run.
        wanted: what is published.
        held: up to which version each table of the lake was read before.
    """
    table = SILVER_INDEX_PRICES
    is_wanted = any(one.kind == "index" for one in wanted.segments)
    if not is_wanted or not context.tables.exists(table):
        return
    version = context.tables.version(table)
    before = held.get(table.name)
    if before == version:
        return
    prices = context.tables.read_version(table, version)
    feed = None
    if before is not None:
        feed = context.tables.changed_between(table, before + 1, version)
    touched = (prices if feed is None else feed).select(*IDENTITY, "minute").distinct()
    minutes = touched.withColumn("minute_ms", F.unix_millis("minute")).collect()
    if not minutes:
        return
    names = {row[:4]: Name("index", *row[:4]) for row in minutes}
    numbers = await numbered(publisher, names.values())
    if feed is None:
        await index_prices.forget_all(publisher)
    else:
        prices = prices.join(F.broadcast(touched), [*IDENTITY, "minute"], "left_semi")
        await index_prices.forget(
            publisher, [(numbers[names[row[:4]]], row["minute_ms"]) for row in minutes]
        )
    rows = _table(nearest(prices), {name: numbers[names[name]] for name in names})
    await publisher.load("index_prices", rows)
    for number in numbers.values():
        await tell_index_times(publisher, number)
    publisher.changed("index_prices", rows.num_rows)
    publisher.versions[table.name] = version


def nearest(prices: DataFrame) -> DataFrame:
    """Return one row a minute and index: of all sources the price nearest to the minute's end.

    Of two that are as near, a channel's stands before a poll's.
    """
    end = F.unix_micros("minute") + MINUTE_US
    distance = F.abs(F.unix_micros("price_timestamp") - end)
    place = F.row_number().over(
        Window.partitionBy("exchange", "kind", "instrument_uid", "minute").orderBy(
            distance, F.desc("source"), "price_source"
        )
    )
    return prices.withColumn("place", place).where("place = 1").drop("place")


def _table(prices: DataFrame, numbers: Mapping[tuple[str, ...], int]) -> pa.Table:
    taken = prices.select(
        *IDENTITY,
        F.unix_millis("minute").alias("minute"),
        F.unix_micros("price_timestamp").alias("price_time_us"),
        "price",
        "timestamp_source",
        "price_source",
    ).toArrow()
    identities = zip(*(taken.column(name).to_pylist() for name in IDENTITY), strict=True)
    columns = {
        "series_id": pa.array([numbers[identity] for identity in identities], pa.int32()),
        "price": exact_text(taken.column("price")),
    }
    kept = ("minute", "price_time_us", "timestamp_source", "price_source")
    columns |= {name: taken.column(name) for name in kept}
    return pa.table(columns)
