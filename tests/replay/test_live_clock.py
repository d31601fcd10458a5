from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT, USDM, Live
from extract.replay.faults import Fault
from lake.clock import to_millis
from lake.errors import UsageError
from tests.replay.asking import Asking
from tests.replay.listening import Watch

START = datetime(2025, 3, 25, 23, 8, tzinfo=UTC)
WINDOW = datetime(2024, 8, 9, tzinfo=UTC)


def standing(watch: Watch, start: datetime, speed: int = 1) -> ReplayExchange:
    return ReplayExchange(Rules(live=Live(start, speed), seconds=watch))


def spot_ids(ask: Asking, **parameters: Any) -> list[int]:
    return [row["id"] for row in ask.spot("trades", symbol="BTCUSDT", **parameters)]


def test_clock_runs_from_its_start_at_its_speed(watch: Watch) -> None:
    with standing(watch, START, speed=60) as exchange:
        ask = Asking(exchange.urls)
        at_first = ask.spot("time")["serverTime"]
        watch.seconds += 1.5
        later = ask.spot("time")["serverTime"]

    assert (at_first, later) == (to_millis(START), to_millis(START) + 90_000)


def test_clock_runs_by_itself() -> None:
    with ReplayExchange(Rules(live=Live(WINDOW, speed=1000))) as exchange:
        ask = Asking(exchange.urls)
        times = [ask.usdm("time")["serverTime"] for _ in range(3)]

    assert times[0] < times[1] < times[2]


def test_a_segment_may_start_at_a_moment_of_its_own(watch: Watch) -> None:
    rules = Rules(live=Live(START), now={USDM: WINDOW}, seconds=watch)
    with ReplayExchange(rules) as exchange:
        ask = Asking(exchange.urls)
        watch.seconds += 2

        assert ask.usdm("time")["serverTime"] == to_millis(WINDOW) + 2000
        assert ask.spot("time")["serverTime"] == to_millis(START) + 2000


def test_spot_trades_of_the_future_do_not_exist_yet(watch: Watch) -> None:
    with standing(watch, START) as exchange:
        ask = Asking(exchange.urls)
        first = ask.spot("trades", symbol="BTCUSDT", limit=1000)
        watch.seconds += 30
        second = ask.spot("trades", symbol="BTCUSDT", limit=1000)
        onward = ask.spot("historicalTrades", symbol="BTCUSDT", fromId=first[-1]["id"] + 1)

    assert first[-1]["time"] <= to_millis(START) < onward[0]["time"]
    assert second[-1]["time"] <= to_millis(START) + 30_000
    assert onward[-1]["id"] <= second[-1]["id"]
    assert second[-1]["id"] > first[-1]["id"]


def test_spot_aggregates_of_the_future_do_not_exist_yet(watch: Watch) -> None:
    midnight = datetime(2025, 9, 1, tzinfo=UTC)
    with standing(watch, midnight) as exchange:
        ask = Asking(exchange.urls)
        watch.seconds += 1
        rows = ask.spot("aggTrades", symbol="BTCUSDT", fromId=3_664_796_852, limit=1000)
        newest = ask.spot("aggTrades", symbol="BTCUSDT", limit=1)
        window = ask.spot("aggTrades", symbol="BTCUSDT", startTime=to_millis(midnight), limit=1000)

    assert 0 < len(rows) < 1000
    assert rows[-1]["T"] <= to_millis(midnight) + 1000
    assert newest == rows[-1:]
    assert window == rows


def test_futures_of_the_future_do_not_exist_yet(watch: Watch) -> None:
    with standing(watch, WINDOW) as exchange:
        ask = Asking(exchange.urls)
        trades = ask.usdm("trades", symbol="BTCUSDT", limit=1000)
        aggregates = ask.usdm("aggTrades", symbol="BTCUSDT", limit=1000)
        watch.seconds += 0.3
        later = ask.usdm("aggTrades", symbol="BTCUSDT", fromId=aggregates[0]["a"], limit=1000)

    assert trades[-1]["time"] <= to_millis(WINDOW)
    assert aggregates[-1]["T"] <= to_millis(WINDOW) - 100
    # what was published once never fills on
    assert later[: len(aggregates)] == aggregates


def test_forming_bar_of_futures_grows(watch: Watch) -> None:
    asked: dict[str, Any] = {"symbol": "BTCUSDT", "interval": "5m", "limit": 1}
    with standing(watch, datetime(2024, 8, 9, 0, 1, tzinfo=UTC)) as exchange:
        ask = Asking(exchange.urls)
        before = ask.usdm("klines", **asked)[0]
        watch.seconds += 60
        after = ask.usdm("klines", **asked)[0]

    assert before[0] == after[0] == to_millis(WINDOW)
    assert 0 < before[8] < after[8]


def test_deribit_of_the_future_does_not_exist_yet(watch: Watch) -> None:
    minute = {"start_timestamp": to_millis(WINDOW), "end_timestamp": to_millis(WINDOW) + 600_000}
    name = {"instrument_name": "BTC-PERPETUAL"}
    with standing(watch, datetime(2024, 8, 9, 0, 1, 30, tzinfo=UTC)) as exchange:
        ask = Asking(exchange.urls)
        trades = ask.deribit("get_last_trades_by_instrument", **name, count=1000)["result"]
        chart = ask.deribit("get_tradingview_chart_data", **name, **minute, resolution="1")
        watch.seconds += 30
        later = ask.deribit("get_tradingview_chart_data", **name, **minute, resolution="1")

    assert max(row["timestamp"] for row in trades["trades"]) <= to_millis(WINDOW) + 90_000
    assert chart["result"]["ticks"] == [to_millis(WINDOW), to_millis(WINDOW) + 60_000]
    forming, whole = chart["result"]["cost"][1], later["result"]["cost"][1]
    assert float(forming) < float(whole)


def test_skewed_clock_shows_nothing_of_the_future(watch: Watch) -> None:
    with standing(watch, START) as exchange:
        ask = Asking(exchange.urls)
        sound = spot_ids(ask, limit=5)
        exchange.order(Fault("clock_skew", seconds=60))
        skewed = requests.get(
            f"{exchange.urls.spot}/api/v3/trades", {"symbol": "BTCUSDT", "limit": "5"}, timeout=20
        )

    assert skewed.headers["Date"] == "Tue, 25 Mar 2025 23:09:00 GMT"
    assert [row["id"] for row in skewed.json()] == sound


def test_skewed_clock_of_generated_venues_shows_nothing_of_the_future(watch: Watch) -> None:
    with standing(watch, WINDOW) as exchange:
        ask = Asking(exchange.urls)
        exchange.order(*[Fault("clock_skew", seconds=60)] * 2)
        trades = ask.usdm("trades", symbol="BTCUSDT", limit=1)
        asked = {"instrument_name": "BTC-PERPETUAL", "count": 1}
        of_deribit = ask.deribit("get_last_trades_by_instrument", **asked)

    assert trades[0]["time"] <= to_millis(WINDOW)
    assert of_deribit["result"]["trades"][0]["timestamp"] <= to_millis(WINDOW)
    assert of_deribit["usIn"] == to_millis(WINDOW) * 1000 + 60_000_000


def test_clock_stands_still_unless_asked(watch: Watch) -> None:
    with ReplayExchange(Rules(seconds=watch)) as exchange:
        ask = Asking(exchange.urls)
        before = ask.spot("time")
        watch.seconds += 60

        assert ask.spot("time") == before
        assert ask.get(f"{ask.urls.root}/replay/holdings").json()["clocks"][SPOT][:4] == "2025"


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf"])
def test_impossible_speed_is_one_clear_error(speed: str) -> None:
    with pytest.raises(UsageError, match="can't run at speed"):
        Live(START, Decimal(speed))


def test_start_without_a_time_zone_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="names no time zone"):
        Live(START.replace(tzinfo=None))
