"""Minutes of indexes into the database: those in hand take the place of those held."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from serve.publishing.publisher import Publisher

FORGET = (
    "DELETE FROM index_prices WHERE EXISTS (SELECT 1 FROM minutes_in_hand AS t"
    " WHERE t.series_id = index_prices.series_id AND t.minute = index_prices.minute)"
)


async def forget_all(publisher: Publisher) -> None:
    """Take away all minutes."""
    await publisher.run("DELETE FROM index_prices")


async def forget(publisher: Publisher, minutes: Sequence[tuple[int, int]]) -> None:
    """Take away these minutes, where they are held: series_id and the minute's start (ms)."""
    await publisher.run(
        "CREATE TEMP TABLE minutes_in_hand AS SELECT series_id, minute FROM index_prices"
        " WHERE 1 = 0"
    )
    numbers, times = zip(*minutes, strict=True)
    rows = pa.table(
        [pa.array(numbers, pa.int32()), pa.array(times, pa.int64())],
        names=["series_id", "minute"],
    )
    await publisher.load("minutes_in_hand", rows)
    await publisher.run(FORGET)
