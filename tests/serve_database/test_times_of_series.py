"""Until when a series is complete: up to its first bar, or stretch, that is not proved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pyarrow as pa
import pytest

from serve.database.address import Address
from serve.database.repository import repository_at
from serve.database.schema import RUNS
from serve.publishing import bars
from serve.publishing.publisher import finish, publishing
from serve.publishing.series import Name, Position, numbered, put_positions, tell_times
from tests.serve_database.databases import MIDNIGHT, MINUTE, bars_of

BTC = Name("bars", "binance", "spot", "BTCUSDT", "BTCUSDT")
DAY = 1440
#: Of two days: in every 100th minute a bar.
MINUTES = range(0, 2 * DAY, 100)


def at(minute: int) -> int:
    return MIDNIGHT + minute * MINUTE


def runs(unknown: Sequence[tuple[int, int]]) -> pa.Table:
    """Return the stretches between the bars: quiet but those that are named."""
    spans = [(first + 1, first + 100) for first in MINUTES]
    rows = [
        {
            "series_id": 1,
            "bar_minutes": 1,
            "from_time": at(span[0]),
            "until_time": at(span[1]),
            "state": "unknown" if span in unknown else "quiet",
            "built_from": "trades",
        }
        for span in spans
    ]
    return pa.Table.from_pylist(rows)


def told(
    address: Address,
    incomplete: Sequence[int],
    unknown: Sequence[tuple[int, int]],
    mark: int | None,
) -> tuple[int | None, int | None]:
    """Publish a series; return until when it is complete, and until when known."""
    complete = [minute not in incomplete for minute in MINUTES]

    async def go() -> tuple[int | None, int | None]:
        async with publishing(address) as publisher:
            await numbered(publisher, [BTC])
            of_minutes = bars_of(1, [at(minute) for minute in MINUTES], is_complete=complete)
            # a larger interval that is not complete says nothing that the minutes do not
            of_a_day = bars_of(1, [MIDNIGHT], bar_minutes=[DAY], is_complete=[False])
            await bars.put(publisher, [of_minutes, of_a_day], {(1, 1), (1, DAY)})
            await publisher.replace(RUNS, runs(unknown))
            until = at(2 * DAY)
            await put_positions(
                publisher, {(1, 1): Position(0, until), (1, DAY): Position(0, until)}
            )
            await tell_times(publisher, 1, mark)
            await finish(publisher, "run", 5)
        repository = repository_at(address)
        try:
            (series,) = await repository.series()
            return series.complete_until, series.known_until
        finally:
            await repository.close()

    return asyncio.run(go())


@pytest.mark.parametrize(
    ("incomplete", "unknown", "mark", "complete"),
    [
        ((), (), 2 * DAY, 2 * DAY),
        ((300, 1500), (), 2 * DAY, 300),
        ((1500,), ((501, 600),), 2 * DAY, 501),
        ((1500,), ((1601, 1700),), 2 * DAY, 1500),
        ((1500,), (), 1000, 1000),
    ],
)
def test_a_series_is_complete_up_to_what_is_not_proved(
    address: Address,
    incomplete: Sequence[int],
    unknown: Sequence[tuple[int, int]],
    mark: int,
    complete: int,
) -> None:
    assert told(address, incomplete, unknown, at(mark)) == (at(complete), at(mark))


def test_a_series_without_a_mark_is_not_complete(address: Address) -> None:
    assert told(address, (), (), None) == (None, None)
