"""A small market whose every row is known: two days of spot, its namesake, indexes, a future."""

from __future__ import annotations

from decimal import Decimal

from serve.api.filling import LENGTHS
from serve.records import (
    Bar,
    Certificate,
    IndexPrice,
    Listing,
    Run,
    Series,
    Stretch,
    Trade,
    plain,
)
from tests.serve_api.listed import ListedRepository

INTERVALS = ("1m", "5m", "15m", "1h", "4h", "1d")
MINUTE = 60_000
DAY = 1440 * MINUTE
#: 2024-01-01T00:00:00Z.
BEGIN = 1_704_067_200_000
MINUTES = 2 * 1440
SPOT, USDM, BTC_USD, ETH_USD, PERPETUAL = 1, 2, 3, 4, 5
#: Minutes of the spot's first day without prints: proved quiet, and not known.
QUIET = range(100, 103)
UNKNOWN = range(200, 204)
#: Quiet too, right behind what is not known: no close is known there.
QUIET_BEHIND = range(204, 206)
#: A minute of off-book prints alone: a volume, and no price.
OFF_BOOK = 300
EMPTY = {*QUIET, *UNKNOWN, *QUIET_BEHIND}
NASTY = "<img src=x onerror=alert(1)>"


def minute_bar(minute: int, length: str = "1m", *, revision: int = 1) -> Bar:
    """Return the bar of a minute: exact, and like no other minute's."""
    start = BEGIN + minute * LENGTHS[length]
    opened = Decimal("42283.58") + Decimal(minute) / 100
    volume = Decimal("12.00000001") * (minute + 1)

    def priced(price: Decimal) -> str | None:
        return None if minute == OFF_BOOK else plain(price)

    return Bar(
        bar_start=start,
        bar_end=start + LENGTHS[length],
        open=priced(opened),
        high=priced(opened + 10),
        low=priced(opened - 10),
        close=priced(opened + Decimal("0.05")),
        volume=plain(volume),
        base_volume=plain(volume),
        quote_volume=plain(volume * opened),
        trade_count=minute + 1,
        taker_buy_volume=plain(volume / 2),
        taker_buy_base_volume=plain(volume / 2),
        taker_buy_quote_volume=plain(volume * opened / 2),
        first_trade_seq=1000 * minute,
        last_trade_seq=1000 * minute + minute,
        built_from="trades",
        is_complete=True,
        is_filled=False,
        knowledge_us=(start + LENGTHS[length] + 5_000) * 1000,
        revision=revision,
    )


def run_of(minutes: range, state: str) -> Run:
    return Run(BEGIN + minutes.start * MINUTE, BEGIN + minutes.stop * MINUTE, state)  # type: ignore[arg-type]


def series(
    identity: int, exchange: str, kind: str, instrument: str, minutes: int = MINUTES
) -> Series:
    is_index = kind == "index"
    return Series(
        series_id=identity,
        series_type="index" if is_index else "bars",
        exchange=exchange,
        kind=kind,
        instrument=instrument,
        instrument_uid=instrument,
        quantity_unit=None if is_index else "BTC",
        base_unit="BTC",
        quote_unit="USD" if exchange == "deribit" else "USDT",
        contract_size=None,
        first_time=BEGIN,
        last_time=BEGIN + (minutes - 1) * MINUTE,
        complete_until=BEGIN + minutes * MINUTE,
    )


def price_at(minute: int) -> IndexPrice:
    start = BEGIN + minute * MINUTE
    price = Decimal("42280.5") + Decimal(minute) / 10
    return IndexPrice(start, plain(price), (start + 59_900) * 1000 + 123, "answer", "live")


def trade_at(number: int) -> Trade:
    time_us = (BEGIN + number * 250) * 1000 + 7
    return Trade(
        5000 + number, str(5000 + number), time_us, "42283.58", "0.00001", "0.4228358",
        "buy" if number % 2 else "sell", "book",
    )  # fmt: skip


def listing(exchange: str, kind: str, instrument: str, tick: str) -> Listing:
    nothing = dict.fromkeys(Listing._fields)
    known = {
        "exchange": exchange,
        "kind": kind,
        "instrument": instrument,
        "instrument_uid": instrument,
        "valid_from": BEGIN,
        "status": "trading",
        "direction": "linear",
        "tick_size": tick,
        "lot_size": "0.00001",
    }
    return Listing(**{**nothing, **known})  # type: ignore[arg-type]


def certificate(day: int, checked_at: int) -> Certificate:
    return Certificate(
        run_id=f"run-{day}",
        check_name="exchange_bars",
        dataset="klines",
        bar_interval="1m",
        left_side="ours",
        right_side="exchange",
        window_start=BEGIN + day * DAY,
        window_end=BEGIN + (day + 1) * DAY,
        left_rows=1440,
        right_rows=1440,
        matched=1440,
        compared=14400,
        equal=14399,
        equal_after_rounding=0,
        not_derivable=0,
        different=1,
        only_left=0,
        only_right=0,
        unexplained=0,
        undetermined=0,
        causes={"cut_at_edge": 1},
        left_hash="ab",
        right_hash="cd",
        checked_at=checked_at,
    )


def filled_repository() -> ListedRepository:
    """Return a repository of this market."""
    minutes = [minute_bar(minute) for minute in range(MINUTES) if minute not in EMPTY]
    repository = ListedRepository(
        held=[
            series(SPOT, "binance", "spot", "BTCUSDT"),
            series(USDM, "binance", "usdm", "BTCUSDT", 5),
            series(BTC_USD, "deribit", "index", "btc_usd"),
            series(ETH_USD, "deribit", "index", "eth_usd", 1),
            series(PERPETUAL, "deribit", "future", "BTC-PERPETUAL", 3),
            series(6, "deribit", "option", NASTY, 1),
        ]
    )
    repository.bars_held = {
        (SPOT, "1m"): minutes,
        (SPOT, "1h"): [minute_bar(hour, "1h") for hour in range(48)],
        (USDM, "1m"): [minute_bar(minute) for minute in range(5)],
        (PERPETUAL, "1m"): [minute_bar(minute) for minute in range(3)],
    }
    first = minute_bar(0)._replace(close="1", revision=1)
    later = minute_bar(0)._replace(revision=2, knowledge_us=(BEGIN + DAY) * 1000)
    minutes[0] = later
    repository.known = {(SPOT, "1m"): [first, later, *minutes[1:]]}
    repository.runs_held = {
        (SPOT, "1m"): [
            run_of(QUIET, "quiet"),
            run_of(UNKNOWN, "unknown"),
            run_of(QUIET_BEHIND, "quiet"),
        ]
    }
    repository.prices = {
        BTC_USD: [price_at(minute) for minute in range(MINUTES)],
        ETH_USD: [price_at(0)],
    }
    repository.prints = {SPOT: [trade_at(number) for number in range(2500)]}
    repository.listed = [listing("binance", "spot", "BTCUSDT", "0.01")]
    hole = Stretch("agg_trades", "hole", 10, 20, BEGIN + 200 * MINUTE, BEGIN + 204 * MINUTE,
                   "not_loaded", "open")  # fmt: skip
    held = Stretch("agg_trades", "held", 1, 9, BEGIN, BEGIN + 200 * MINUTE, None, "proved")
    repository.ledger = {SPOT: [held, hole]}
    repository.checks = {SPOT: [certificate(0, BEGIN + 3 * DAY), certificate(1, BEGIN + 4 * DAY)]}
    return repository
