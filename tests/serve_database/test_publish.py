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
from serve.database.address import Address
from serve.database.intervals import MINUTES, length_ms
from serve.database.repository import SqlRepository
from serve.records import Bar, Run
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, land
from tests.serve_database import published

pytestmark = [pytest.mark.spark, pytest.mark.slow]

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


def test_the_database_holds_gold_through_all_that_happens_to_it(
    open_lake: OpenLake, address: Address
) -> None:
    lake = open_lake()
    moments = []
    for step in (land_first, land_behind_a_hole, close_the_hole, correct_a_trade, rebuilt):
        step(lake)
        moments.append(lake.clock.now())

        outcome = published.run(lake, place(lake, address))

        held = published.bars_held(place(lake, address))
        assert held == published.bars_of_gold(lake, mark_of(lake)), step.__name__
        assert held, step.__name__
        assert outcome.number is not None or step is rebuilt, step.__name__
        again = published.run(lake, place(lake, address))
        assert (again.number, again.counts) == (None, {}), step.__name__
        assert filled_of(place(lake, address)) == filled_until(lake), step.__name__
    for moment in (at("00:00:59"), at("00:10:59"), at("02:30:00"), at("04:00:00"), *moments):
        known = published.bars_of_gold_as_of(lake, moment)
        ended = {
            key: [bar for bar in bars if bar.bar_end <= mark_of(lake)]
            for key, bars in known.items()
        }
        found = published.bars_as_of(place(lake, address), to_micros(moment))
        assert found == {key: bars for key, bars in ended.items() if bars}, moment


def rebuilt(lake: Context) -> None:
    rebuild.run(lake, "gold.ohlcv", select(lake.settings, start="2024-01-01", end="2024-01-02"))


def place(lake: Context, address: Address) -> Address:
    """Return the database: the embedded one is the lake's own."""
    from serve.database.address import address_of  # noqa: PLC0415

    return address if address.is_postgres else address_of(lake.settings)


def filled_until(lake: Context) -> dict[Any, list[Bar]]:
    mark = mark_of(lake)
    told = {
        key: [bar for bar in bars if bar.bar_end <= mark]
        for key, bars in published.filled_of_gold(lake).items()
    }
    return {key: bars for key, bars in told.items() if bars}


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
