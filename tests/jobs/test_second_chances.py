"""A table that is wrong is built again from bronze; a row turned away can be let in later."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jobs import gold, quarantine, rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.errors import UsageError
from lake.tables import GOLD_OHLCV, OPS_QUARANTINE, SILVER_AGG_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import aggregate, held, know, land

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PERPETUAL = {
    "kind": "coinm",
    "instrument": "BTCUSD_PERP",
    "direction": "inverse",
    "base_unit": "BTC",
    "quote_unit": "USD",
    "quantity_unit": "contract",
    "contract_size": Decimal(100),
}


def sides(context: Context) -> dict[int, str]:
    return {row["agg_id"]: row["taker_side"] for row in held(context, SILVER_AGG_TRADES)}


def bought(context: Context) -> Decimal:
    (bar,) = held(context, GOLD_OHLCV, "bar_interval = '1m'")
    return Decimal(bar["taker_buy_volume"])


def test_a_rebuild_mends_silver_and_gold_and_a_second_one_writes_nothing(
    open_lake: OpenLake,
) -> None:
    context = open_lake()
    land(context, "BTCUSDT", [f"[{aggregate(1)},{aggregate(2)}]"], ids=(1, 2))
    silver.consume(context, "agg_trades")
    context.tables.update(SILVER_AGG_TRADES, "agg_id = 2", {"taker_side": "buy"})
    gold.follow(context)
    assert bought(context) == Decimal("0.5")
    window = select(context.settings, start="2024-01-01", end="2024-01-02")

    rebuild.run(context, "silver.agg_trades", window)

    assert sides(context) == {1: "sell", 2: "sell"}
    assert bought(context) == 0
    versions = [context.tables.version(table) for table in (SILVER_AGG_TRADES, GOLD_OHLCV)]
    rebuild.run(context, "silver.agg_trades", window)
    assert versions[1] == context.tables.version(GOLD_OHLCV)
    assert sides(context) == {1: "sell", 2: "sell"}


def test_a_rebuild_without_a_window_or_of_another_table_is_refused(open_lake: OpenLake) -> None:
    context = open_lake("window.start=", "window.end=")

    with pytest.raises(UsageError, match="needs --start and --end"):
        rebuild.run(context, "silver.agg_trades", select(context.settings))


def test_a_released_row_goes_to_silver_and_gold(open_lake: OpenLake) -> None:
    context = open_lake()
    body = f"[{aggregate(1, M='')},{aggregate(2, M='')}]"
    land(context, "BTCUSD_PERP", [body], ids=(1, 2), kind="coinm")
    silver.consume(context, "agg_trades")
    refused = held(context, OPS_QUARANTINE)
    assert len(refused) == 2
    assert all("instrument_unknown" in row["reasons"] for row in refused)
    assert sides(context) == {}

    know(context, PERPETUAL)
    released = quarantine.release_dataset(context, "agg_trades", "true")
    gold.follow(context)

    assert released == 1
    assert sides(context) == {1: "sell", 2: "sell"}
    assert {row["state"] for row in held(context, OPS_QUARANTINE)} == {"released"}
    (bar,) = held(context, GOLD_OHLCV, "bar_interval = '1m'")
    assert (bar["trade_count"], bar["is_complete"]) == (2, True)
