"""Information bars of a lake: from silver by the command, kept fresh by the pipeline."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from jobs import gold, information_bars, silver
from jobs.context import Context
from lake.errors import GateError, UsageError
from lake.settings import load_settings
from lake.tables import GOLD_INFORMATION_BARS, OPS_GATE_RESULTS, SILVER_AGG_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import MIDNIGHT, aggregate, held, land

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1500)]

DAY_MS = 86_400_000
OF = {"exchange": "binance", "kind": "spot", "instruments": "BTCUSDT"}
WINDOW = {"start": "2024-01-01T12:00:00Z", "end": "2024-01-02T12:00:00Z"}
CONFIGURED = (
    'gold.information_bars=[{exchange = "binance", kind = "spot", instruments = ["BTC*"],'
    ' bar_type = "volume", threshold = "1.5"}]'
)
Bar = tuple[date, int, int, int, Decimal]


def trades(context: Context, *ids: int, tag: str = "") -> None:
    """Land aggregates: up to 100 on the first day, above on the second."""
    times = {one: MIDNIGHT + one + (DAY_MS if one > 100 else 0) for one in ids}
    rows = ",".join(aggregate(one, T=str(time)) for one, time in times.items())
    spanned = (min(times.values()), max(times.values()))
    land(context, "BTCUSDT", [f"[{rows}]"], ids=(min(ids), max(ids)), times=spanned, tag=tag)


def refine(context: Context) -> None:
    silver.consume(context, "agg_trades")
    gold.follow(context)


def build(
    context: Context, bar_type: str = "dollar", threshold: str = "40000"
) -> information_bars.Built:
    """Build a series; by default two aggregates, of 21,000.05 each, are a bar."""
    settings = context.settings
    (order,) = information_bars.orders_of(settings, bar_type, threshold, **OF, **WINDOW)
    return information_bars.run(context, order)


def bars_of(context: Context, bar_type: str = "dollar") -> list[Bar]:
    names = ("bar_date", "bar_number", "first_trade_seq", "last_trade_seq", "quote_volume")
    rows = held(context, GOLD_INFORMATION_BARS, f"bar_type = '{bar_type}'")
    return sorted(tuple(row[name] for name in names) for row in rows)


def written(context: Context, day: int) -> set[str]:
    """Return the rows of a day, whole, as text."""
    rows = held(context, GOLD_INFORMATION_BARS, f"day(bar_date) = {day}")
    return {str(row) for row in rows}


def test_days_are_built_whole_again_alike_and_a_late_trade_cuts_only_its_day_anew(
    open_lake: OpenLake,
) -> None:
    context = open_lake(CONFIGURED)
    trades(context, 1, 2, 3, 4, 5, 101, 103, 104)
    refine(context)

    assert build(context) == (2, 5, 5)
    first, second, half = date(2024, 1, 1), date(2024, 1, 2), Decimal("21000.05")
    assert bars_of(context) == [
        (first, 1, 1, 2, 2 * half),
        (first, 2, 3, 4, 2 * half),
        (first, 3, 5, 5, half),
        (second, 1, 101, 103, 2 * half),
        (second, 2, 104, 104, half),
    ]
    (last,) = held(context, GOLD_INFORMATION_BARS, "bar_number = 3")
    assert (last["built_from"], last["is_last_of_day"]) == ("agg_trades", True)
    version, day = context.tables.version(GOLD_INFORMATION_BARS), written(context, 1)
    assert build(context) == (2, 5, 0)

    # the same rows from elsewhere, and one that was missing
    trades(context, 2, 102, 103, tag="again")
    refine(context)
    information_bars.follow(context)
    assert build(context) == (2, 5, 2)

    assert context.tables.version(GOLD_INFORMATION_BARS) == version + 2
    assert day <= written(context, 1)
    assert [row[2:4] for row in bars_of(context)] == [
        (1, 2),
        (3, 4),
        (5, 5),
        (101, 102),
        (103, 104),
    ]
    assert [row[2:4] for row in bars_of(context, "volume")] == [
        *((1, 3), (4, 5)),
        *((101, 103), (104, 104)),
    ]
    information_bars.follow(context)
    assert context.tables.version(GOLD_INFORMATION_BARS) == version + 2

    context.tables.delete(SILVER_AGG_TRADES, "agg_id = 104")
    with pytest.raises(GateError, match=r"equals_the_candle.*Run \./spark-submit\.sh pipeline"):
        build(context, "tick", "2")
    assert bars_of(context, "tick") == []
    assert held(context, OPS_GATE_RESULTS, "NOT success")[0]["table_name"].endswith("by day")


def test_what_can_not_be_built_is_refused() -> None:
    settings = load_settings("replay")
    several: list[tuple[tuple[str | None, str | None], str]] = [
        (("dollar", None), "go together"),
        (("range", "5"), "can't be used"),
        (("tick", "2.5"), "whole"),
        (("volume", "0"), "greater than 0"),
        ((None, None), "no series"),
    ]
    for (bar_type, threshold), message in several:
        with pytest.raises(UsageError, match=message):
            information_bars.orders_of(settings, bar_type, threshold, **OF, **WINDOW)
    with pytest.raises(UsageError, match="text such as"):
        load_settings("replay", [CONFIGURED.replace('"1.5"', "1.5")])


def test_the_series_of_the_settings_are_narrowed_by_the_options() -> None:
    settings = load_settings("replay", [CONFIGURED])

    (order,) = information_bars.orders_of(settings, None, None, exchange="binance", **WINDOW)

    assert order.series == ("volume", Decimal("1.5"))
    assert order.selection.segments[0].instruments == ("BTC*",)
    assert order.selection.start == datetime(2024, 1, 1, 12, tzinfo=UTC)
    with pytest.raises(UsageError, match="no series"):
        information_bars.orders_of(settings, None, None, exchange="deribit", **WINDOW)
