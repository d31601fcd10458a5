"""A table that is wrong is built again from bronze; a row turned away can be let in later."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jobs import conflicts, gold, quarantine, rebuild, silver
from jobs.context import Context
from jobs.options import select
from lake.errors import UsageError
from lake.tables import GOLD_OHLCV, OPS_CONFLICTS, OPS_QUARANTINE, SILVER_AGG_TRADES
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


def test_a_rebuild_takes_unified_names_and_leaves_other_instruments_alone(
    open_lake: OpenLake,
) -> None:
    context = open_lake()
    for instrument in ("BTCUSDT", "ETHUSDT"):
        land(context, instrument, [f"[{aggregate(1)}]"], ids=(1, 1))
    listed = '{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT"}]}'
    land(context, "_all", [listed], ids=(1, 1), dataset="instruments")
    silver.consume(context, "agg_trades")
    context.tables.update(SILVER_AGG_TRADES, "true", {"taker_side": "buy"})
    of = {"exchange": "binance", "kind": "spot", "start": "2024-01-01", "end": "2024-01-02"}

    window = select(context.settings, **of, instruments="BTC/USDT")
    rebuild.run(context, "silver.agg_trades", window)

    rows = held(context, SILVER_AGG_TRADES)
    assert {row["instrument"]: row["taker_side"] for row in rows} == {
        "BTCUSDT": "sell",
        "ETHUSDT": "buy",
    }
    with pytest.raises(UsageError, match=r"no instrument 'BTC/USDC'.*Nearest are BTC/USDT"):
        rebuild.run(context, "gold.ohlcv", select(context.settings, **of, instruments="BTC/USDC"))


def contested(open_lake: OpenLake, *later: str) -> Context:
    """A lake in which aggregate 2 came again with these prices, and a bar that waits."""
    context = open_lake()
    land(context, "BTCUSDT", [f"[{aggregate(1)},{aggregate(2)}]"], ids=(1, 2))
    silver.consume(context, "agg_trades")
    for place, price in enumerate(later):
        again = aggregate(2, p=f'"{price}"')
        land(context, "BTCUSDT", [f"[{again}]"], ids=(2, 2), tag=f"again{place}")
    silver.consume(context, "agg_trades")
    gold.follow(context)
    assert bar(context) == (Decimal("42000.1"), False)
    return context


def bar(context: Context) -> tuple[Decimal, bool]:
    (row,) = held(context, GOLD_OHLCV, "bar_interval = '1m'")
    return row["close"], row["is_complete"]


def test_a_kept_row_stands_and_its_bar_is_complete(open_lake: OpenLake) -> None:
    context = contested(open_lake, "42000.2")

    conflicts.keep_first(context, "id = 2")
    gold.follow(context)

    assert bar(context) == (Decimal("42000.1"), True)
    assert [row["state"] for row in held(context, OPS_CONFLICTS)] == ["kept"]


def test_a_corrected_row_takes_the_place_of_the_first_even_in_a_rebuild(
    open_lake: OpenLake,
) -> None:
    context = contested(open_lake, "42000.2", "42000.3")
    with pytest.raises(UsageError, match="2 rows claim the id 2"):
        conflicts.correct_dataset(context, "agg_trades", "id = 2")

    assert conflicts.correct_dataset(context, "agg_trades", "seen LIKE '%42000.2%'") == 1
    assert conflicts.correct_dataset(context, "agg_trades", "seen LIKE '%42000.3%'") == 1
    gold.follow(context)

    assert bar(context) == (Decimal("42000.3"), True)
    states = sorted(row["state"] for row in held(context, OPS_CONFLICTS))
    assert states == ["corrected", "superseded"]
    prices = {row["agg_id"]: row["price"] for row in held(context, SILVER_AGG_TRADES)}
    assert prices == {1: Decimal("42000.1"), 2: Decimal("42000.3")}

    window = select(context.settings, start="2024-01-01", end="2024-01-02")
    rebuild.run(context, "silver.agg_trades", window)

    assert held(context, SILVER_AGG_TRADES, "agg_id = 2")[0]["price"] == Decimal("42000.3")
    assert bar(context) == (Decimal("42000.3"), True)


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
