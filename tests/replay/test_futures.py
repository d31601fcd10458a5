from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import COINM, USDM
from extract.replay.futures_bars import klines
from extract.replay.futures_tape import COINM_CONTRACTS, USDM_CONTRACTS, FuturesTrade, generate
from tests.replay.asking import Asking

START = 1_723_161_360_000  # 2024-08-08T23:56Z
MINUTE = 60_000
KEY = {"X-MBX-APIKEY": "any"}


def all_pages(ask: Callable[..., Any], name: str, symbol: str, field: str, limit: int) -> list[Any]:
    rows: list[Any] = []
    first_id = 0
    while page := ask(name, headers=KEY, symbol=symbol, fromId=first_id, limit=limit):
        rows += page
        first_id = page[-1][field] + 1
    return rows


def test_answers_are_marked_as_generated(ask: Asking) -> None:
    for url in (f"{ask.urls.usdm}/fapi/v1/time", f"{ask.urls.coinm}/dapi/v1/exchangeInfo"):
        assert ask.get(url).headers["X-Replay-Generated"] == "seed=20240809"


def test_aggregates_stand_for_the_trades(ask: Asking) -> None:
    trades = all_pages(ask.usdm, "historicalTrades", "ETHUSDT", "id", 500)
    aggregates = all_pages(ask.usdm, "aggTrades", "ETHUSDT", "a", 1000)

    by_id = {trade["id"]: trade for trade in trades}
    assert sum(a["l"] - a["f"] + 1 for a in aggregates) == len(trades) == len(by_id)
    for a in aggregates:
        members = [by_id[trade_id] for trade_id in range(a["f"], a["l"] + 1)]
        assert sum(Decimal(m["qty"]) for m in members) == Decimal(a["q"])
        assert {(m["price"], m["isBuyerMaker"]) for m in members} == {(a["p"], a["m"])}
        assert members[-1]["time"] - members[0]["time"] < 100


def test_some_ids_are_missing_on_usdm_and_none_on_coinm(ask: Asking) -> None:
    usdm = [t["id"] for t in all_pages(ask.usdm, "historicalTrades", "BTCUSDT", "id", 500)]
    coinm = [t["id"] for t in all_pages(ask.coinm, "historicalTrades", "BTCUSD_PERP", "id", 500)]

    assert len(usdm) < usdm[-1] - usdm[0] + 1
    assert len(coinm) == coinm[-1] - coinm[0] + 1


def test_many_trades_share_a_millisecond(ask: Asking) -> None:
    times = [t["time"] for t in all_pages(ask.usdm, "historicalTrades", "BTCUSDT", "id", 500)]

    assert sum(a == b for a, b in pairwise(times)) > len(times) // 2


def test_exactly_one_aggregate_reaches_over_a_minute(ask: Asking) -> None:
    over = []
    for symbol in USDM_CONTRACTS:
        trades = all_pages(ask.usdm, "historicalTrades", symbol, "id", 500)
        minute = {trade["id"]: trade["time"] // MINUTE for trade in trades}
        aggregates = all_pages(ask.usdm, "aggTrades", symbol, "a", 1000)
        over += [(symbol, a["T"]) for a in aggregates if minute[a["f"]] != minute[a["l"]]]

    assert over == [("ETHUSDT", START + 9 * MINUTE - 20)]


def test_history_needs_a_key(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.usdm}/fapi/v1/historicalTrades", symbol="BTCUSDT")

    assert response.status_code == 401
    assert response.json() == {"code": -2014, "msg": "API-key format invalid."}


def test_usdm_value_is_cut_at_two_decimals(ask: Asking) -> None:
    trade = ask.usdm("trades", symbol="BTCUSDT", limit=1)[0]

    exact = Decimal(trade["price"]) * Decimal(trade["qty"])
    assert 0 <= exact - Decimal(trade["quoteQty"]) < Decimal("0.01")
    assert "isBestMatch" not in trade


def test_coinm_value_is_base_coin_rounded_to_eight_decimals(ask: Asking) -> None:
    trade = ask.coinm("trades", symbol="BTCUSD_PERP", limit=1)[0]

    exact = Decimal(trade["qty"]) * 100 / Decimal(trade["price"])
    assert abs(exact - Decimal(trade["baseQty"])) <= Decimal("0.000000005")


def test_coinm_bar_has_contracts_and_base_coin() -> None:
    trades = [
        FuturesTrade(1, Decimal("19100.5"), Decimal(1), START + 5, buyer_is_maker=True),
        FuturesTrade(2, Decimal("19099.7"), Decimal(40), START + 6, buyer_is_maker=False),
    ]
    bars = klines(COINM_CONTRACTS["BTCUSD_PERP"], trades, "1m", START + MINUTE)

    assert bars == [
        [
            *(START, "19100.5", "19100.5", "19099.7", "19099.7", "41", START + 59_999),
            *("0.21466284", "2", "40", "0.20942737", "0"),
        ],
        [
            *(START + MINUTE, "19099.7", "19099.7", "19099.7", "19099.7", "0"),
            *(START + 119_999, "0.00000000", "0", "0", "0.00000000", "0"),
        ],
    ]


def test_usdm_bars_agree_with_their_trades(ask: Asking) -> None:
    trades = all_pages(ask.usdm, "historicalTrades", "BTCUSDT", "id", 500)
    bars = ask.usdm("klines", symbol="BTCUSDT", interval="1m", startTime=START, limit=1500)

    for bar in bars:
        inside = [t for t in trades if bar[0] <= t["time"] <= bar[6]]
        exact = sum((Decimal(t["price"]) * Decimal(t["qty"]) for t in inside), Decimal(0))
        assert (bar[8], Decimal(bar[7])) == (len(inside), exact)
        if inside:
            assert (bar[1], bar[4]) == (inside[0]["price"], inside[-1]["price"])
    assert sum(bar[8] for bar in bars) == len(trades)


def test_quiet_minute_is_flat_at_the_close_before(ask: Asking) -> None:
    quiet = START + 10 * MINUTE
    before, bar = ask.usdm(
        "klines", symbol="BTCUSDT", interval="1m", startTime=quiet - MINUTE, endTime=quiet
    )

    assert bar[1:5] == [before[4]] * 4
    assert bar[8] == 0


def test_forming_bar_comes_last(ask: Asking) -> None:
    now = ask.usdm("time")["serverTime"]
    bar = ask.usdm("klines", symbol="BTCUSDT", interval="5m", limit=1)[0]

    assert bar[0] <= now <= bar[6]


def test_window_gives_oldest_bars_on_usdm_and_newest_on_coinm(ask: Asking) -> None:
    window: dict[str, Any] = {"startTime": START, "endTime": START + 4 * MINUTE, "limit": 2}

    usdm = ask.usdm("klines", symbol="BTCUSDT", interval="1m", **window)
    coinm = ask.coinm("klines", symbol="BTCUSD_PERP", interval="1m", **window)

    assert [bar[0] for bar in usdm] == [START, START + MINUTE]
    assert [bar[0] for bar in coinm] == [START + 3 * MINUTE, START + 4 * MINUTE]


def test_aggregates_older_than_48_hours_are_gone() -> None:
    later = datetime(2024, 8, 11, 0, 0, tzinfo=UTC)
    with ReplayExchange(Rules(now={USDM: later, COINM: later})) as exchange:
        ask = Asking(exchange.urls)
        oldest = ask.usdm("aggTrades", symbol="BTCUSDT", fromId=1, limit=1)[0]
        trades = ask.usdm("historicalTrades", headers=KEY, symbol="BTCUSDT", fromId=1, limit=1)

    assert oldest["T"] >= START + 4 * MINUTE
    assert trades[0]["time"] < START + MINUTE


@pytest.mark.parametrize(
    ("name", "parameters", "code"),
    [
        ("aggTrades", {"symbol": "BTCUSD_PERP"}, -1121),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": START}, -1128),
        ("aggTrades", {"symbol": "BTCUSDT", "startTime": 0, "endTime": 3_600_001}, -1127),
        ("aggTrades", {"symbol": "BTCUSDT", "limit": 1001}, -1130),
        ("klines", {"symbol": "BTCUSDT", "interval": "1s"}, -1120),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": 1501}, -1130),
    ],
)
def test_bad_request_gets_the_error_body(
    ask: Asking, name: str, parameters: dict[str, Any], code: int
) -> None:
    response = ask.get(f"{ask.urls.usdm}/fapi/v1/{name}", **parameters)

    assert (response.status_code, response.json()["code"]) == (400, code)


def test_coinm_window_is_two_hundred_days_at_most(ask: Asking) -> None:
    window: dict[str, Any] = {"startTime": 1_546_300_800_000, "endTime": 1_577_836_800_000}
    response = ask.get(
        f"{ask.urls.coinm}/dapi/v1/klines", symbol="BTCUSD_PERP", interval="1d", **window
    )

    assert response.json() == {"code": -4088, "msg": "Maximum time interval is 200 days."}


def test_instruments_name_contract_size_on_coinm_alone(ask: Asking) -> None:
    coinm = {s["symbol"]: s for s in ask.coinm("exchangeInfo")["symbols"]}
    usdm = ask.usdm("exchangeInfo")["symbols"][0]

    assert {name: symbol["contractSize"] for name, symbol in coinm.items()} == {
        "BTCUSD_PERP": 100,
        "ETHUSD_PERP": 10,
    }
    assert "contractSize" not in usdm
    assert (usdm["status"], coinm["BTCUSD_PERP"]["contractStatus"]) == ("TRADING", "TRADING")


def test_another_seed_gives_another_tape() -> None:
    contract = USDM_CONTRACTS["BTCUSDT"]

    assert generate(contract, 1) == generate(contract, 1)
    assert generate(contract, 1) != generate(contract, 2)
