"""`/udf`: what TradingView's charting library asks, answered as its protocol says."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.serve_api.conftest import Running
from tests.serve_api.market import (
    BEGIN,
    EMPTY,
    MINUTE,
    MINUTES,
    OFF_BOOK,
    minute_bar,
    price_at,
)

SYMBOL = "binance:spot:BTCUSDT"
SECOND = 1000


def exact(api: Running, **asked: Any) -> Any:
    """Return the history with its numbers as decimals, digit by digit."""
    answer = api.client.get("/udf/history", params={"symbol": SYMBOL, "resolution": "1", **asked})
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)


def columns(minutes: list[int]) -> dict[str, Any]:
    bars = [minute_bar(minute) for minute in minutes]
    return {
        "s": "ok",
        "t": [bar.bar_start // SECOND for bar in bars],
        "o": [Decimal(bar.open or 0) for bar in bars],
        "h": [Decimal(bar.high or 0) for bar in bars],
        "l": [Decimal(bar.low or 0) for bar in bars],
        "c": [Decimal(bar.close or 0) for bar in bars],
        "v": [Decimal(bar.volume) for bar in bars],
    }


def at(minute: int) -> int:
    return (BEGIN + minute * MINUTE) // SECOND


def test_config_says_what_the_feed_can_do(api: Running) -> None:
    config = api.json("/udf/config")

    assert config["supports_search"] is True
    assert config["supports_group_request"] is False
    assert config["supported_resolutions"] == ["1", "5", "15", "60", "240", "1D"]
    assert [one["value"] for one in config["exchanges"]] == ["", "binance", "deribit"]
    assert {one["value"] for one in config["symbols_types"]} >= {"", "spot", "index", "future"}


def test_time_is_seconds_as_text(api: Running) -> None:
    assert abs(int(api.get("/udf/time").text) - time.time()) < 5


def test_a_symbol_has_the_scale_of_its_tick(api: Running) -> None:
    symbol = api.json("/udf/symbols", symbol=SYMBOL)

    assert symbol["ticker"] == SYMBOL
    assert (symbol["pricescale"], symbol["minmov"]) == (100, 1)
    assert symbol["session"] == "24x7"
    assert symbol["timezone"] == "Etc/UTC"
    assert symbol["has_intraday"] is True
    assert symbol["intraday_multipliers"] == ["1", "5", "15", "60", "240"]


def test_an_index_has_minutes_alone_and_the_scale_of_its_prices(api: Running) -> None:
    symbol = api.json("/udf/symbols", symbol="deribit:index:btc_usd")

    assert symbol["supported_resolutions"] == ["1"]
    assert symbol["pricescale"] == 10
    history = exact(api, symbol="deribit:btc_usd", to=at(2), countback=2)
    assert history["c"] == [Decimal(price_at(minute).price) for minute in (0, 1)]
    daily = api.get("/udf/history", symbol="deribit:btc_usd", resolution="1D", to=at(2))
    assert daily.status_code == 422


@pytest.mark.parametrize("symbol", [SYMBOL, "deribit:BTC-PERPETUAL", "BTC-PERPETUAL", "btc_usd"])
def test_a_symbol_is_found_by_each_of_its_names(api: Running, symbol: str) -> None:
    assert api.json("/udf/symbols", symbol=symbol)["name"].lower() in symbol.lower()


@pytest.mark.parametrize(
    ("symbol", "status"),
    [("BTCUSDT", 409), ("binance:BTCUSDT", 409), ("nothing", 404), ("a:b:c:d", 404)],
)
def test_an_unclear_symbol_is_an_error_that_the_library_reads(
    api: Running, symbol: str, status: int
) -> None:
    answer = api.get("/udf/symbols", symbol=symbol)

    assert answer.status_code == status
    assert answer.json()["s"] == "error"
    assert answer.json()["errmsg"]


def test_search_gives_what_symbols_takes(api: Running) -> None:
    found = api.json("/udf/search", query="btcusdt", type="", exchange="binance", limit=10)

    assert [one["ticker"] for one in found] == [SYMBOL, "binance:usdm:BTCUSDT"]
    assert [one["ticker"] for one in api.json("/udf/search", query="BTC", type="future")] == [
        "deribit:future:BTC-PERPETUAL"
    ]


def test_history_is_the_range_with_the_start_in_and_the_end_out(api: Running) -> None:
    history = exact(api, **{"from": at(1), "to": at(4)})

    assert history == columns([1, 2, 3])


def test_countback_beats_the_range_and_reaches_over_a_gap(api: Running) -> None:
    history = exact(api, **{"from": at(103), "to": at(105), "countback": 4})

    assert history == columns([98, 99, 103, 104])


def test_a_bar_without_a_price_is_not_drawn(api: Running) -> None:
    history = exact(api, **{"from": at(OFF_BOOK - 1), "to": at(OFF_BOOK + 2)})

    assert history == columns([OFF_BOOK - 1, OFF_BOOK + 1])


def test_what_the_library_sends_besides_is_passed_over(api: Running) -> None:
    history = exact(api, **{"from": at(0), "to": at(1), "currencyCode": "USD"})

    assert history == columns([0])


def test_a_range_in_a_gap_tells_where_bars_are_before(api: Running) -> None:
    gap = {"from": at(200), "to": at(204)}

    assert exact(api, **gap) == {"s": "no_data", "nextTime": at(199)}


def test_before_everything_there_is_nothing_more(api: Running) -> None:
    assert exact(api, **{"from": 0, "to": at(0)}) == {"s": "no_data"}
    assert exact(api, to=at(0), countback=300) == {"s": "no_data"}


def test_days_and_hours_have_their_resolutions(api: Running) -> None:
    history = exact(api, resolution="60", **{"from": at(0), "to": at(120)})

    assert history["t"] == [at(0), at(60)]


def test_a_chart_is_drawn_page_by_page_as_the_library_does(api: Running) -> None:
    """It asks backwards with countback until there is no more: every bar once."""
    times: list[int] = []
    to = at(MINUTES)
    while True:
        page = exact(api, **{"from": 0, "to": to, "countback": 700})
        if page["s"] == "no_data":
            break
        times = [int(moment) for moment in page["t"]] + times
        to = times[0]

    expected = [at(minute) for minute in range(MINUTES) if minute not in {*EMPTY, OFF_BOOK}]
    assert times == expected


@pytest.mark.parametrize(
    "asked",
    [
        {"resolution": "7"},
        {"to": "soon"},
        {"to": -5},
        {"to": 10**20},
        {"countback": 0},
        {"from": 10, "to": 5},
    ],
)
def test_what_can_not_be_read_is_an_error(api: Running, asked: dict[str, Any]) -> None:
    answer = api.get("/udf/history", **{"symbol": SYMBOL, "resolution": "1", "to": at(1), **asked})

    assert answer.status_code == 422
    assert answer.json()["s"] == "error"
