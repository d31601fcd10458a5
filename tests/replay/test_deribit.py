from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.replay.asking import Asking

START = 1_723_161_360_000  # 2024-08-08T23:56Z
END = 1_723_162_200_000
MINUTE = 60_000
NOW = 1_723_162_500_000
PERPETUAL = {"instrument_name": "BTC-PERPETUAL"}


def trades(ask: Asking, name: str, **parameters: Any) -> Any:
    method = "get_last_trades_by_instrument"
    return ask.deribit(method, instrument_name=name, **parameters)["result"]


def all_trades(ask: Asking, name: str) -> list[Any]:
    page = trades(ask, name, start_seq=1, count=1000)
    assert not page["has_more"]
    rows: list[Any] = page["trades"]
    return rows


def chart(ask: Asking, name: str, **parameters: Any) -> Any:
    window = {"start_timestamp": START, "end_timestamp": END, "resolution": "1", **parameters}
    return ask.deribit("get_tradingview_chart_data", instrument_name=name, **window)["result"]


def test_envelope_is_json_rpc_with_times_in_micros(ask: Asking) -> None:
    assert ask.deribit("get_time") == {
        "jsonrpc": "2.0",
        "result": NOW,
        "usIn": NOW * 1000,
        "usOut": NOW * 1000 + 137,
        "usDiff": 137,
        "testnet": False,
    }


def test_answers_are_marked_as_generated(ask: Asking) -> None:
    response = ask.get(f"{ask.urls.deribit}/api/v2/public/get_time")

    assert response.headers["X-Replay-Generated"] == "seed=20240809"


def test_numbers_are_json_numbers_without_float_noise(ask: Asking) -> None:
    response = ask.get(
        f"{ask.urls.deribit}/api/v2/public/get_instrument", instrument_name="BTC-9AUG24-60000-C"
    )

    assert '"tick_size":0.0001,' in response.text
    assert '"strike":60000.0' in response.text


def test_every_kind_and_awkward_name_is_listed(ask: Asking) -> None:
    listed = ask.deribit("get_instruments", currency="any")["result"]

    assert {i["kind"] for i in listed} == {
        "future",
        "option",
        "spot",
        "future_combo",
        "option_combo",
    }
    strikes = {i["instrument_name"]: i["strike"] for i in listed if i["kind"] == "option"}
    assert strikes["XRP_USDC-9AUG24-0d625-C"] == "0.625"
    assert strikes["SOL_USDC-9AUG24-152d5-P"] == "152.5"


def test_currency_and_kind_narrow_the_list(ask: Asking) -> None:
    listed = ask.deribit("get_instruments", currency="ETH", kind="future")["result"]

    assert [i["instrument_name"] for i in listed] == ["ETH-PERPETUAL", "ETH-27SEP24"]


def test_expired_ones_are_listed_apart(ask: Asking) -> None:
    expired = ask.deribit("get_instruments", currency="BTC", expired="true")["result"]

    assert [(i["instrument_name"], i["is_active"]) for i in expired] == [
        ("BTC-8AUG24-57000-C", False)
    ]
    assert len(trades(ask, "BTC-8AUG24-57000-C")["trades"]) == 6


def test_ten_newest_trades_come_first_unless_asked(ask: Asking) -> None:
    page = trades(ask, "BTC-PERPETUAL")
    newest = all_trades(ask, "BTC-PERPETUAL")[-10:]

    assert page == {"trades": newest[::-1], "has_more": True}


def test_pages_by_sequence_are_inclusive_and_consecutive(ask: Asking) -> None:
    first = all_trades(ask, "ETH-PERPETUAL")[0]["trade_seq"]
    page = trades(ask, "ETH-PERPETUAL", start_seq=first + 5, end_seq=first + 8, count=1000)

    assert [t["trade_seq"] for t in page["trades"]] == [first + 5, first + 6, first + 7, first + 8]
    assert not page["has_more"]


def test_page_that_is_full_says_that_there_is_more(ask: Asking) -> None:
    page = trades(ask, "ETH-PERPETUAL", start_seq=1, count=3)

    assert (len(page["trades"]), page["has_more"]) == (3, True)


def test_window_is_inclusive_and_sorting_turns_it(ask: Asking) -> None:
    rows = all_trades(ask, "BTC-PERPETUAL")
    window = {"start_timestamp": rows[0]["timestamp"], "end_timestamp": rows[20]["timestamp"]}
    method = "get_last_trades_by_instrument_and_time"
    asked = {"instrument_name": "BTC-PERPETUAL", **window, "count": 1000}

    ascending = ask.deribit(method, **asked, sorting="asc")["result"]["trades"]
    descending = ask.deribit(method, **asked, sorting="desc")["result"]["trades"]

    expected = [t for t in rows if t["timestamp"] <= rows[20]["timestamp"]]
    assert ascending == expected
    assert descending == expected[::-1]


def test_trade_ids_are_unique_per_currency(ask: Asking) -> None:
    page = ask.deribit(
        "get_last_trades_by_currency", currency="BTC", start_timestamp=START, count=1000
    )["result"]
    ids = [t["trade_id"] for t in page["trades"]]

    assert len(set(ids)) == len(ids) == 1000
    assert page["has_more"]


def test_combo_kinds_are_asked_together(ask: Asking) -> None:
    page = ask.deribit("get_last_trades_by_currency", currency="BTC", kind="combo", count=1000)

    names = {t["instrument_name"] for t in page["result"]["trades"]}
    assert names == {"BTC-FS-27SEP24_PERP", "BTC-CS-9AUG24-60000_62000"}


def test_combo_trades_have_zero_and_negative_prices_and_legs(ask: Asking) -> None:
    combos = all_trades(ask, "BTC-FS-27SEP24_PERP")
    perpetual = {t["trade_id"]: t for t in all_trades(ask, "BTC-PERPETUAL")}

    assert [t["price"] for t in combos][2:4] == ["-3.5", "0.0"]
    for combo in combos:
        first, second = combo["legs"]
        assert Decimal(first["price"]) - Decimal(second["price"]) == Decimal(combo["price"])
        assert perpetual[second["trade_id"]] == second
        assert second["combo_trade_id"] == combo["trade_id"]


def test_block_rfq_and_liquidation_are_there(ask: Asking) -> None:
    perpetual = all_trades(ask, "BTC-PERPETUAL")
    option = all_trades(ask, "BTC-9AUG24-60000-C")

    assert [t["price"] for t in perpetual if "block_trade_id" in t] == ["61655.13"]
    assert [t["liquidation"] for t in perpetual if "liquidation" in t] == ["T"]
    assert [t["block_rfq_id"] for t in option if "block_rfq_id" in t] == [5001]


def test_block_counts_in_volume_but_sets_no_price(ask: Asking) -> None:
    minute = START + 3 * MINUTE
    bars = chart(ask, "BTC-PERPETUAL", start_timestamp=minute, end_timestamp=minute)
    inside = [
        t for t in all_trades(ask, "BTC-PERPETUAL") if t["timestamp"] // MINUTE * MINUTE == minute
    ]
    own_book = [t for t in inside if "block_trade_id" not in t and "combo_id" not in t]

    assert bars["ticks"] == [minute]
    assert Decimal(bars["cost"][0]) == sum(Decimal(t["amount"]) for t in inside)
    assert Decimal(bars["cost"][0]) > 250_000
    assert bars["close"] == [own_book[-1]["price"]]
    coin = sum((Decimal(t["amount"]) / Decimal(t["price"]) for t in inside), Decimal(0))
    assert Decimal(bars["volume"][0]) == coin.quantize(Decimal("0.00000001"))


def test_linear_bar_has_volume_in_coin_and_cost_in_quote(ask: Asking) -> None:
    quarter = START - 11 * MINUTE
    bars = chart(ask, "SOL_USDC-PERPETUAL", resolution="15", start_timestamp=quarter)
    rows = all_trades(ask, "SOL_USDC-PERPETUAL")

    assert sum(Decimal(v) for v in bars["volume"]) == sum(Decimal(t["amount"]) for t in rows)
    cost = sum(Decimal(t["amount"]) * Decimal(t["price"]) for t in rows)
    assert sum(Decimal(v) for v in bars["cost"]) == cost


def test_quiet_minute_is_flat(ask: Asking) -> None:
    quiet = START + 10 * MINUTE
    bars = chart(ask, "BTC-PERPETUAL", start_timestamp=quiet - MINUTE, end_timestamp=quiet)

    assert bars["volume"][1] == "0.0"
    assert {bars[name][1] for name in ("open", "high", "low", "close")} == {bars["close"][0]}


def test_window_without_bars_says_no_data(ask: Asking) -> None:
    bars = chart(ask, "BTC-PERPETUAL", start_timestamp=1, end_timestamp=2)

    assert bars == {
        "status": "no_data",
        "ticks": [],
        "open": [],
        "high": [],
        "low": [],
        "close": [],
        "volume": [],
        "cost": [],
    }


def test_expired_instrument_has_no_bar_after_its_expiry(ask: Asking) -> None:
    expiry = 1_723_104_000_000
    bars = chart(ask, "BTC-8AUG24-57000-C", start_timestamp=expiry - 600_000)

    assert bars["ticks"][-1] == expiry - MINUTE


def test_index_price_is_served_by_name(ask: Asking) -> None:
    names = [entry["name"] for entry in ask.deribit("get_index_price_names")["result"]]
    price = ask.deribit("get_index_price", index_name="btc_usd")["result"]

    assert names == ["btc_usd", "eth_usd", "btc_usdc", "sol_usdc", "xrp_usdc"]
    assert set(price) == {"index_price", "estimated_delivery_price"}


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("get_instrument", {"instrument_name": "BTC-NOPE"}, 13020),
        ("get_instrument", {}, -32602),
        ("get_instruments", {"currency": "DOGE"}, -32602),
        (
            "get_last_trades_by_instrument",
            {"instrument_name": "BTC-PERPETUAL", "count": 1001},
            -32602,
        ),
        ("get_tradingview_chart_data", {"instrument_name": "BTC-PERPETUAL"}, -32602),
        ("get_nothing", {}, -32601),
    ],
)
def test_bad_call_gets_an_error_object(
    ask: Asking, method: str, parameters: dict[str, Any], code: int
) -> None:
    response = ask.get(f"{ask.urls.deribit}/api/v2/public/{method}", **parameters)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == code
    assert "result" not in response.json()


def test_call_may_be_posted_as_json_rpc(ask: Asking) -> None:
    call = {"jsonrpc": "2.0", "id": 7, "method": "public/get_time", "params": {}}
    response = requests.post(f"{ask.urls.deribit}/api/v2", json=call, timeout=20)

    assert (response.json()["id"], response.json()["result"]) == (7, NOW)


def test_history_host_serves_the_same_trades(ask: Asking) -> None:
    path = "api/v2/public/get_last_trades_by_instrument?instrument_name=BTC-9AUG24&count=5"

    here = ask.get(f"{ask.urls.deribit}/{path}")
    history = ask.get(f"{ask.urls.deribit_history}/{path}")

    assert here.content == history.content
