"""Every kind of both exchanges, from the replay's answers to candles, beside its own bars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from jobs.context import Context
from lake.tables import GOLD_OHLCV, OPS_CONTINUITY, SILVER_AGG_TRADES, SILVER_KLINES, SILVER_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.jobs.running import run

pytestmark = [pytest.mark.spark, pytest.mark.slow]

WINDOW = {"start": "2024-08-08T23:56:00Z", "end": "2024-08-09T00:10:00Z"}
MINUTES = 14
FUTURES = (("usdm", "BTCUSDT"), ("coinm", "BTCUSD_PERP"))


def missing(rows: list[dict[str, Any]], column: str) -> set[int]:
    """The ids between the lowest and the highest that are not there; none is there twice."""
    ids = [row[column] for row in rows]
    assert len(ids) == len(set(ids))
    return set(range(min(ids), max(ids) + 1)) - set(ids)


@pytest.fixture(scope="module")
def futures(open_lake: OpenLake) -> tuple[Context, str]:
    """Both of Binance's futures markets, and what was printed of them."""
    context = open_lake(
        "extract.bar_interval=1m",
        "universe.binance.spot=[]",
        'universe.binance.usdm=["BTCUSDT"]',
        'universe.binance.coinm=["BTCUSD_PERP"]',
    )
    every = "trades,agg_trades,klines"
    return context, run(context, **WINDOW, exchange="binance", datasets=every)


def test_what_futures_lack_in_silver_the_ledger_names(futures: tuple[Context, str]) -> None:
    context = futures[0]

    for kind, instrument in FUTURES:
        where = f"kind = '{kind}' AND instrument = '{instrument}'"
        holes = held(context, OPS_CONTINUITY, f"{where} AND dataset = 'trades' AND entry = 'hole'")
        named = {seq for hole in holes for seq in range(hole["first_id"], hole["last_id"] + 1)}
        assert missing(held(context, SILVER_AGG_TRADES, where), "agg_id") == set(), where
        assert missing(held(context, SILVER_TRADES, where), "trade_seq") <= named, where
        assert "open" not in {hole["state"] for hole in holes}
        assert len(held(context, SILVER_KLINES, where)) == MINUTES


def test_each_minute_with_a_trade_is_a_whole_bar(futures: tuple[Context, str]) -> None:
    bars = held(futures[0], GOLD_OHLCV, "bar_interval = '1m'")
    trades = held(futures[0], SILVER_TRADES, "print_kind = 'book'")
    minutes = {
        (row["kind"], row["instrument"], row["trade_timestamp"].replace(second=0, microsecond=0))
        for row in trades
    }

    assert {(bar["kind"], bar["instrument"], bar["bar_start"]) for bar in bars} == minutes
    assert all(bar["is_complete"] for bar in bars)


def test_a_coinm_bar_counts_contracts_and_their_worth(futures: tuple[Context, str]) -> None:
    bar = held(futures[0], GOLD_OHLCV, "bar_interval = '1m' AND kind = 'coinm'")[0]

    assert (bar["quantity_unit"], bar["contract_size"]) == ("contract", Decimal(100))
    assert bar["quote_volume"] == bar["volume"] * 100


def test_futures_agree_with_their_bars(futures: tuple[Context, str]) -> None:
    for kind, instrument in FUTURES:
        assert f"binance {kind} {instrument} 1m: {MINUTES * 9} fields compared" in futures[1]
    assert futures[1].count(" 0 unexplained: 100.00 %") == len(FUTURES)


@pytest.fixture(scope="module")
def deribit(open_lake: OpenLake) -> tuple[Context, str]:
    context = open_lake(
        "extract.bar_interval=1m",
        'universe.deribit.future=["BTC-PERPETUAL"]',
        'universe.deribit.option=["BTC-9AUG24-*"]',
        'universe.deribit.future_combo=["BTC-*"]',
    )
    return context, run(context, **WINDOW, exchange="deribit")


def test_deribits_kinds_are_whole_in_silver(deribit: tuple[Context, str]) -> None:
    trades = held(deribit[0], SILVER_TRADES)
    listings = {(row["kind"], row["instrument"]) for row in trades}

    assert {"future", "option", "future_combo"} <= {kind for kind, _ in listings}
    for kind, instrument in listings:
        of = [row for row in trades if (row["kind"], row["instrument"]) == (kind, instrument)]
        assert not missing(of, "trade_seq"), instrument


def test_deribits_ledger_has_no_open_hole(deribit: tuple[Context, str]) -> None:
    assert held(deribit[0], OPS_CONTINUITY, "entry = 'hole' AND state = 'open'") == []


def test_deribits_perpetual_agrees_with_its_bars(deribit: tuple[Context, str]) -> None:
    assert "deribit future BTC-PERPETUAL 1m:" in deribit[1]
    assert " 0 unexplained: 100.00 %" in deribit[1]
