"""Days of trades into the database: a day is held whole, and replaced whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa
from sqlalchemy import select

from serve.database.intervals import DAY_MS
from serve.database.schema import TRADE_DAYS
from serve.publishing.publisher import Publisher

FORGET = (
    "DELETE FROM trades WHERE series_id = :series_id AND trade_time_us >= :first"
    " AND trade_time_us < :last"
)
FORGET_DAY = "DELETE FROM trade_days WHERE series_id = :series_id AND day = :day"


class Held(NamedTuple):
    """A day that is held: from which table, and up to which of its versions."""

    version: int
    table_name: str


async def days_held(publisher: Publisher) -> Mapping[tuple[int, int], Held]:
    """Return the days that are held, by series_id and the day's start (ms)."""
    found = await publisher.connection.execute(select(TRADE_DAYS))
    return {(row.series_id, row.day): Held(row.version, row.table_name) for row in found}


async def put_day(
    publisher: Publisher, key: tuple[int, int], chunks: Iterable[pa.Table], held: Held
) -> None:
    """Put a day's trades in the place of those held.

    Args:
        publisher: open.
        key: series_id and the day's start (ms).
        chunks: the columns of the table `trades`.
        held: where they come from.
    """
    series_id, day = key
    first, last = day * 1000, (day + DAY_MS) * 1000
    await publisher.run(FORGET, series_id=series_id, first=first, last=last)
    count = 0
    for rows in chunks:
        await publisher.load("trades", rows)
        count += rows.num_rows
    await publisher.run(FORGET_DAY, series_id=series_id, day=day)
    row = {"series_id": series_id, "day": day, "trades": count, **held._asdict()}
    await publisher.add(TRADE_DAYS, [row])
    publisher.changed("trades", count)
