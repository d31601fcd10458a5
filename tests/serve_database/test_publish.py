"""The database holds gold exactly: after a first run, a correction, a repair and a rebuild."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from jobs import conflicts, gold, rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.clock import to_micros
from lake.tables import OPS_WATERMARKS
from serve.database.address import Address, address_of
from serve.database.intervals import MINUTES, length_ms
from serve.database.repository import SqlRepository
from serve.records import Bar, Run
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, land
from tests.serve_database import published
from tests.serve_database.databases import new_database

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

HOUR = 3_600_000
MINUTE = 60_000


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2024-01-01T{clock}Z")


def bring_up_to_date(context: Context) -> None:
    silver.consume(context, "agg_trades")
    gold.follow(context)


def mark_of(context: Context) -> int:
    (row,) = context.tables.read(OPS_WATERMARKS).where("table_name = 'gold.ohlcv'").collect()
    return int((row["complete_until"] - datetime(1970, 1, 1)) // (datetime.resolution * 1000))


def land_first(lake: Context) -> None:
    """Two trades in the first minute, one five minutes later; proved for ten minutes."""
    late = aggregate(3, T=str(MIDNIGHT + 5 * MINUTE))
    body = f"[{aggregate(1)},{aggregate(2)},{late}]"
    times = (MIDNIGHT, MIDNIGHT + 10 * MINUTE)
    land(lake, "BTCUSDT", [body], ids=(1, 3), times=times, known=at("00:11:00"))
    bring_up_to_date(lake)


def land_behind_a_hole(lake: Context) -> None:
    """Ids 4 to 6 are missing; 7 to 8 come an hour later."""
    body = (
        f"[{aggregate(7, T=str(MIDNIGHT + HOUR))},{aggregate(8, T=str(MIDNIGHT + HOUR + MINUTE))}]"
    )
    times = (MIDNIGHT + HOUR, MIDNIGHT + HOUR + 10 * MINUTE)
    land(lake, "BTCUSDT", [body], ids=(7, 8), times=times, known=at("02:00:00"))
    bring_up_to_date(lake)


def close_the_hole(lake: Context) -> None:
    """Ids 4 to 6 come by a repair."""
    trades = [aggregate(one, T=str(MIDNIGHT + one * 10 * MINUTE)) for one in (4, 5)]
    trades.append(aggregate(6, T=str(MIDNIGHT + HOUR - 1), p='"41000.00000000"'))
    times = (MIDNIGHT + 10 * MINUTE, MIDNIGHT + HOUR)
    land(lake, "BTCUSDT", [f"[{','.join(trades)}]"], ids=(4, 6), times=times, known=at("03:00:00"))
    bring_up_to_date(lake)


def correct_a_trade(lake: Context) -> None:
    again = aggregate(2, p='"43000.00000000"')
    land(lake, "BTCUSDT", [f"[{again}]"], ids=(2, 2), tag="again", known=at("07:00:00"))
    bring_up_to_date(lake)
    assert conflicts.correct_dataset(lake, "agg_trades", "id = 2") == 1
    gold.follow(lake)


def test_both_databases_hold_gold_through_all_that_happens_to_it(
    open_lake: OpenLake, postgres: Address
) -> None:
    lake = open_lake()
    places = (address_of(lake.settings), new_database(postgres))
    moments = [at("00:00:59"), at("02:30:00")]
    for step in (land_first, land_behind_a_hole, close_the_hole, correct_a_trade, rebuilt):
        step(lake)
        moments.append(lake.clock.now())
        outcomes = [published.run(lake, place) for place in places]

        in_gold, filled = published.bars_of_gold(lake, mark_of(lake)), filled_until(lake)

        assert in_gold, step.__name__
        for place, outcome in zip(places, outcomes, strict=True):
            assert (outcome.number is None) == (step is rebuilt), step.__name__
            assert published.bars_held(place) == in_gold, step.__name__
            assert filled_of(place) == filled, step.__name__
            assert times_of(place) == (complete_until(filled, mark_of(lake)), mark_of(lake))
    assert [bar.state for bar in runs_of(places[0])].count("quiet") > 1
    for moment in moments:
        known = ended(published.bars_of_gold_as_of(lake, moment), mark_of(lake))
        for place in places:
            assert published.bars_as_of(place, to_micros(moment)) == known, moment


def complete_until(filled: dict[Any, list[Bar]], mark: int) -> int:
    """Return the start of the first minute that is not complete, or the mark of the lake."""
    minutes = filled["spot", "BTCUSDT", "1m"]
    return min((bar.bar_start for bar in minutes if not bar.is_complete), default=mark)


def times_of(address: Address) -> tuple[int | None, int | None]:
    async def read(ask: SqlRepository) -> tuple[int | None, int | None]:
        (series,) = await ask.series()
        return series.complete_until, series.known_until

    return published.asked(address, read)


def runs_of(address: Address) -> list[Run]:
    async def read(ask: SqlRepository) -> list[Run]:
        return list(await ask.runs(1, "1m", None, None))

    return published.asked(address, read)


def rebuilt(lake: Context) -> None:
    rebuild.run(lake, "gold.ohlcv", select(lake.settings, start="2024-01-01", end="2024-01-02"))


def filled_until(lake: Context) -> dict[Any, list[Bar]]:
    return ended(published.filled_of_gold(lake), mark_of(lake))


def ended(bars: dict[Any, list[Bar]], mark: int) -> dict[Any, list[Bar]]:
    """Leave out bars that end after a mark."""
    told = {key: [bar for bar in some if bar.bar_end <= mark] for key, some in bars.items()}
    return {key: some for key, some in told.items() if some}


def filled_of(address: Address) -> dict[Any, list[Bar]]:
    """Expand the runs between the bars, in so many words: flat where quiet, empty where unknown."""

    async def read(ask: SqlRepository) -> dict[Any, list[Bar]]:
        found: dict[Any, list[Bar]] = {}
        for series in await ask.series():
            for interval, minutes in MINUTES.items():
                bars = await ask.bars(series.series_id, interval, published.EVERYTHING)
                runs = await ask.runs(series.series_id, interval, None, None)
                if bars or runs:
                    key = (series.kind, series.instrument, interval)
                    found[key] = expanded(list(bars), list(runs), length_ms(minutes))
        return found

    return published.asked(address, read)


def expanded(bars: list[Bar], runs: list[Run], length: int) -> list[Bar]:
    slots: list[Bar | tuple[int, Run]] = list(bars)
    slots += [
        (start, run) for run in runs for start in range(run.from_time, run.until_time, length)
    ]
    filled: list[Bar] = []
    carried: Bar | None = None
    for slot in sorted(slots, key=lambda one: one.bar_start if isinstance(one, Bar) else one[0]):
        if isinstance(slot, Bar):
            carried = slot if slot.close is not None else carried
            filled.append(slot)
            continue
        start, run = slot
        carried = None if run.state == "unknown" else carried
        price = carried.close if carried else None
        is_complete = carried is not None and carried.is_complete
        filled.append(
            Bar(
                *(start, start + length, price, price, price, price, "0", "0", "0", 0),
                *("0", "0", "0", None, None, run.built_from, is_complete, carried is not None),
                *(None, 0),
            )
        )
    return filled
