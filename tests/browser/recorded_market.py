"""Six years of hours as Binance published them, in a database of lists that the real API serves."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from serve.api.filling import LENGTHS
from serve.records import Bar, Certificate, Publication, Series, plain
from tests.serve_api.listed import ListedRepository

RECORDED = (
    Path(__file__).parents[2] / "recordings" / "BTCUSDT-1h-klines-2017-08-17_2024-01-01.csv.gz"
)
FALSE_ROWS = RECORDED.with_name("BTCUSDT-1h-klines-2017-08-17_2024-01-01.false-rows.csv")
HOUR, DAY = LENGTHS["1h"], LENGTHS["1d"]
#: The start of the newest recorded hour: 2024-01-01 23:00 UTC.
NEWEST = 1_704_150_000_000


def milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1000


def bar(time: int, prices: Sequence[str | None], volume: str = "1", trades: int = 1) -> Bar:
    """Return a complete hour; `prices` are open, high, low, close."""
    opened, high, low, close = prices
    return Bar(
        bar_start=time,
        bar_end=time + HOUR,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
        base_volume=volume,
        quote_volume="0",
        trade_count=trades,
        taker_buy_volume="0",
        taker_buy_base_volume="0",
        taker_buy_quote_volume="0",
        first_trade_seq=None,
        last_trade_seq=None,
        built_from="agg_trades",
        is_complete=True,
        is_filled=False,
        knowledge_us=None,
        revision=1,
    )


@cache
def recorded_hours() -> tuple[Bar, ...]:
    """Return the hours of spot BTCUSDT, 2017-08-17 to 2024-01-01, without the false rows."""
    with FALSE_ROWS.open(encoding="utf-8") as file:
        false = {row["open_time"] for row in csv.DictReader(file)}
    with gzip.open(RECORDED, "rt", encoding="utf-8") as packed:
        rows = list(csv.reader(line for line in packed if line[:2] == "20"))
    return tuple(
        bar(milliseconds(row[0]), row[1:5], row[5], int(row[8]))
        for row in rows
        if row[0] not in false
    )


def merged(hours: Sequence[Bar], interval: str) -> list[Bar]:
    """Return hours as exact bars of a longer interval."""
    length = LENGTHS[interval]
    found = []
    for start, group in groupby(hours, lambda one: one.bar_start // length * length):
        parts = list(group)
        highs = [Decimal(one.high) for one in parts if one.high]
        lows = [Decimal(one.low) for one in parts if one.low]
        prices = parts[0].open, plain(max(highs)), plain(min(lows)), parts[-1].close
        volume = plain(sum((Decimal(one.volume) for one in parts), Decimal(0)))
        whole = bar(start, prices, volume, sum(one.trade_count for one in parts))
        found.append(whole._replace(bar_end=start + length))
    return found


@cache
def recorded_bars() -> Mapping[str, Sequence[Bar]]:
    hours = recorded_hours()
    return {"1h": hours, "4h": merged(hours, "4h"), "1d": merged(hours, "1d")}


class RecordedMarket(ListedRepository):
    """Its minutes were not recorded: a day's coverage counts 60 for each complete hour."""

    async def bars_a_day(self, series_id: int, _: str) -> Mapping[int, int]:
        days = await super().bars_a_day(series_id, "1h")
        return {day: 60 * hours for day, hours in days.items()}

    def put(self, name: str, bars: Mapping[str, Sequence[Bar]]) -> int:
        """Publish these bars as all that there is of an instrument; return its series' id."""
        known = [one for one in self.held if one.instrument == name]
        number = known[0].series_id if known else len(self.held) + 1
        times = [one.bar_start for rows in bars.values() for one in rows]
        series = Series(
            series_id=number,
            series_type="bars",
            exchange="binance",
            kind="spot",
            instrument=name,
            instrument_uid=name,
            quantity_unit="BTC",
            base_unit="BTC",
            quote_unit="USDT",
            contract_size=None,
            first_time=min(times, default=None),
            last_time=max(times, default=None),
            complete_until=None,
        )
        self.held = [one for one in self.held if one.instrument != name] + [series]
        self.bars_held |= {(number, interval): list(rows) for interval, rows in bars.items()}
        self.publish()
        return number

    def publish(self) -> None:
        """Let the API see that something has changed."""
        number = self.newest.number + 1
        self.newest = Publication(number, self.newest.published_at + 1000)


def certificate(**changed: Any) -> Certificate:
    """Return the certificate of the bundled day, as a run of the pipeline wrote it."""
    written = Certificate(
        run_id="20261129T074503Z-a415b1d6",
        check_name="bars",
        dataset="ohlcv",
        bar_interval="1h",
        left_side="gold",
        right_side="published",
        window_start=NEWEST - 23 * HOUR,
        window_end=NEWEST + HOUR,
        left_rows=24,
        right_rows=24,
        matched=24,
        compared=216,
        equal=216,
        equal_after_rounding=0,
        not_derivable=0,
        different=0,
        only_left=0,
        only_right=0,
        unexplained=0,
        undetermined=0,
        causes={},
        left_hash="196f2889d602dea749f4bccba7b58922",
        right_hash="196f2889d602dea749f4bccba7b58922",
        checked_at=1_795_938_625_051,
    )
    return written._replace(**changed)
