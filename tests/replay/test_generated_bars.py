"""The venues' own bars of generated tapes, on trades written by hand."""

from __future__ import annotations

from decimal import Decimal

from extract.replay.deribit_bars import chart_bars, chart_document
from extract.replay.deribit_market import INSTRUMENTS
from extract.replay.deribit_tape import DeribitTrade
from extract.replay.futures_tape import FuturesTrade, aggregates

START = 1_723_161_360_000
MINUTE = 60_000
PERPETUAL = INSTRUMENTS["BTC-PERPETUAL"]
COMBO = DeribitTrade(INSTRUMENTS["BTC-FS-27SEP24_PERP"], START, Decimal(-3), Decimal(10), "buy")


def deribit_trade(
    offset: int,
    price: str,
    amount: str,
    extras: dict[str, object] | None = None,
    combo: DeribitTrade | None = None,
) -> DeribitTrade:
    return DeribitTrade(
        PERPETUAL, START + offset, Decimal(price), Decimal(amount), "buy", extras or {}, combo
    )


def test_off_book_prints_count_in_volume_and_set_no_price() -> None:
    trades = [
        deribit_trade(1, "50000", "100"),
        deribit_trade(2, "50010", "200"),
        deribit_trade(3, "60000.13", "250000", {"block_trade_id": "BLOCK-1"}),
        deribit_trade(4, "40000", "400", combo=COMBO),
    ]

    document = chart_document(chart_bars(trades, "1", START, START))

    assert document == {
        "status": "ok",
        "ticks": [START],
        "open": ["50000.0"],
        "high": ["50010.0"],
        "low": ["50000.0"],
        "close": ["50010.0"],
        # 0.002 + 0.00399920015997 + 4.16665763891939 + 0.01
        "volume": ["4.18265684"],
        "cost": ["250700.0"],
    }


def test_bar_of_off_book_prints_alone_is_flat_but_has_volume() -> None:
    trades = [
        deribit_trade(1, "50000", "100"),
        deribit_trade(MINUTE, "60000.13", "600001.3", {"block_trade_id": "BLOCK-1"}),
    ]

    bar = chart_bars(trades, "1", START, START + MINUTE)[1]

    assert {bar.open, bar.high, bar.low, bar.close} == {Decimal(50_000)}
    assert (bar.volume, bar.cost) == (Decimal(10), Decimal("600001.3"))


def test_liquidation_is_a_print_of_the_book() -> None:
    trades = [deribit_trade(1, "50000", "100"), deribit_trade(2, "1", "10", {"liquidation": "T"})]

    assert chart_bars(trades, "1", START, START)[0].close == 1


def futures_trade(trade_id: int, price: str, time: int, *, maker: bool = False) -> FuturesTrade:
    return FuturesTrade(trade_id, Decimal(price), Decimal(2), time, buyer_is_maker=maker)


def test_aggregate_ends_with_price_side_hole_or_a_hundred_milliseconds() -> None:
    trades = [
        futures_trade(1, "10", 1_000),
        futures_trade(2, "10", 1_099),
        futures_trade(3, "10", 1_100),
        futures_trade(4, "11", 1_100),
        futures_trade(5, "11", 1_100, maker=True),
        futures_trade(7, "11", 1_100, maker=True),
    ]

    groups = [
        (a.agg_id, a.first_id, a.last_id, a.time, int(a.quantity)) for a in aggregates(trades, 50)
    ]

    assert groups == [
        (50, 1, 2, 1_000, 4),
        (51, 3, 3, 1_100, 2),
        (52, 4, 4, 1_100, 2),
        (53, 5, 5, 1_100, 2),
        (54, 7, 7, 1_100, 2),
    ]
