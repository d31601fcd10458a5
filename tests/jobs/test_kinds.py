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


def unbroken(rows: list[dict[str, Any]], column: str) -> bool:
    ids = sorted(row[column] for row in rows)
    return ids == list(range(ids[0], ids[0] + len(ids)))


@pytest.fixture(scope="module")
def futures(open_lake: OpenLake) -> tuple[Context, str, str]:
    """Both of Binance's futures markets, and what was printed of them."""
    context = open_lake("extract.bar_interval=1m")
    every = "trades,agg_trades,klines"
    of = {**WINDOW, "exchange": "binance", "datasets": every}
    usdm = run(context, **of, kind="usdm", instruments="BTCUSDT,ETHUSDT")
    return context, usdm, run(context, **of, kind="coinm", instruments="BTCUSD_PERP")


def test_futures_are_whole_in_silver(futures: tuple[Context, str, str]) -> None:
    context = futures[0]

    for kind, instrument in (("usdm", "BTCUSDT"), ("usdm", "ETHUSDT"), ("coinm", "BTCUSD_PERP")):
        where = f"kind = '{kind}' AND instrument = '{instrument}'"
        assert unbroken(held(context, SILVER_AGG_TRADES, where), "agg_id"), where
        assert unbroken(held(context, SILVER_TRADES, where), "trade_seq"), where
        assert len(held(context, SILVER_KLINES, where)) == MINUTES


def test_bars_of_futures_are_built_from_trades_where_they_are_whole(
    futures: tuple[Context, str, str],
) -> None:
    bars = held(futures[0], GOLD_OHLCV, "bar_interval = '1m'")

    assert len(bars) == 3 * MINUTES
    assert {bar["built_from"] for bar in bars} == {"trades"}
    assert all(bar["is_complete"] for bar in bars)


def test_a_coinm_bar_counts_contracts_and_their_worth(futures: tuple[Context, str, str]) -> None:
    bar = held(futures[0], GOLD_OHLCV, "bar_interval = '1m' AND kind = 'coinm'")[0]

    assert (bar["quantity_unit"], bar["contract_size"]) == ("contract", Decimal(100))
    assert bar["quote_volume"] == bar["volume"] * 100


def test_futures_agree_with_their_bars(futures: tuple[Context, str, str]) -> None:
    for printed, names in ((futures[1], ("BTCUSDT", "ETHUSDT")), (futures[2], ("BTCUSD_PERP",))):
        for name in names:
            assert f"{name} 1m: {MINUTES * 9} fields compared" in printed
        assert "0 different, 0 unexplained: 100.00 %" in printed


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
        assert unbroken(of, "trade_seq"), instrument


def test_deribits_ledger_has_no_open_hole(deribit: tuple[Context, str]) -> None:
    assert held(deribit[0], OPS_CONTINUITY, "entry = 'hole' AND state = 'open'") == []


def test_deribits_perpetual_agrees_with_its_bars(deribit: tuple[Context, str]) -> None:
    assert "deribit future BTC-PERPETUAL 1m:" in deribit[1]
    assert " 0 unexplained: 100.00 %" in deribit[1]
