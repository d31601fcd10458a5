from __future__ import annotations

from extract.replay.holdings import holdings
from tests.replay.asking import Asking


def test_recorded_and_generated_are_told_apart() -> None:
    held = holdings()

    assert {h.segment for h in held if not h.generated} == {"binance/spot"}
    assert {h.segment for h in held if h.generated} == {
        "binance/usdm",
        "binance/coinm",
        "deribit",
        "deribit-history",
    }


def test_bundled_day_is_held_as_aggregates_and_hourly_bars() -> None:
    held = [h for h in holdings() if h.instrument == "BTCUSDT" and "2024-01-01" in h.end]

    assert [(h.dataset, h.rows, h.interval) for h in held if not h.generated] == [
        ("aggTrades", 863_403, None),
        ("klines", 55_765, "1h"),
    ]


def test_generated_rows_are_counted_from_the_tape(ask: Asking) -> None:
    held = {(h.segment, h.dataset, h.instrument): h for h in holdings()}
    holding = held["deribit", "trades", "BTC-9AUG24"]
    page = ask.deribit("get_last_trades_by_instrument", instrument_name="BTC-9AUG24", count=1000)

    assert holding.rows == len(page["result"]["trades"])
    assert holding.last_id == page["result"]["trades"][0]["trade_seq"]


def test_window_of_the_generated_tapes_is_ten_to_twenty_thousand_trades() -> None:
    rows = [h.rows for h in holdings() if h.generated and h.dataset == "trades"]

    assert 10_000 <= sum(filter(None, rows)) <= 20_000


def test_holdings_and_clocks_are_served(ask: Asking) -> None:
    document = ask.get(f"{ask.urls.root}/replay/holdings").json()

    assert len(document["holdings"]) == len(holdings())
    assert document["clocks"]["binance/usdm"] == "2024-08-09T00:15:00.000000Z"
    assert document["clocks"]["binance/spot"] == "2025-09-02T00:00:00.000000Z"
