"""The candles of `candlelake watch`, against the exchange's own bars and against known trades."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from extract.live.state import collectors
from jobs.status.report import report
from jobs.watch.candles import MINUTE_MS, Candle, candles
from jobs.watch.newest import NewestPrints
from jobs.watch.prints import Print, prints_in
from jobs.watch.screen import frame
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.live.collecting import Collector, lines
from tests.live.conftest import MakeSettings
from tests.live.states import NOW, collector, say, stream
from tests.live.test_live_status import writer
from tests.replay.listening import RECORDED, live, release

BITCOIN = ("binance", "spot", "BTCUSDT")
START = 1_741_132_800_000


def closed_bars(store: FolderStore) -> dict[int, Mapping[str, Any]]:
    """Return the exchange's own closed bars, by their begin, from the frames in bronze."""
    frames = [json.loads(one["body"])["data"]["k"] for one in lines(store, "klines")]
    return {bar["t"]: bar for bar in frames if bar["x"]}


def test_a_minute_that_has_closed_is_the_exchanges_own_bar(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED, speed=30) as exchange:
        settings = settings_of(exchange)
        told = Collector(settings, store, streams=("trade", "kline_1m"))

        def beside() -> None:
            release(exchange)

        with writer(store, told.counters):
            told.collect(lambda _: len(closed_bars(store)) >= 3, beside=beside)

    (state,) = collectors(store)
    (newest_ms,) = [one.newest_ms for one in state.streams if one.dataset == "trades"]
    assert newest_ms is not None
    prints = list(NewestPrints(store).of("trades", BITCOIN, newest_ms - 10**6, newest_ms))
    made = {one.start_ms: one for one in candles(prints, newest_ms, 5)}
    whole = {start: one for start, one in made.items() if one.is_closed and one.is_whole}
    bars = closed_bars(store)
    assert len(set(whole) & set(bars)) >= 2
    for start in set(whole) & set(bars):
        assert shown(whole[start]) == [Decimal(bars[start][name]) for name in "ohlcvn"]


def shown(one: Candle) -> list[Any]:
    return [one.open, one.high, one.low, one.close, one.volume, one.trades]


def trade(
    number: int, at: int, price: str, quantity: str = "1", *, sets_price: bool = True
) -> Print:
    return Print(number, START + at, Decimal(price), Decimal(quantity), 1, sets_price=sets_price)


def test_open_and_last_are_by_number_whatever_the_order_of_arrival() -> None:
    prints = [
        trade(4, 30_000, "12"),
        trade(2, 30_000, "10", "0.1"),
        trade(3, 30_000, "9", "0.2"),
        trade(3, 30_000, "99", "7"),
        trade(1, -1, "50"),
    ]

    forming, before = candles(prints, START + 40_000, 1)

    assert shown(forming) == [*map(Decimal, ("10", "12", "9", "12", "1.3")), 3]
    assert (forming.is_closed, forming.is_whole) == (False, True)
    assert (before.start_ms, before.is_closed, before.is_whole) == (
        START - MINUTE_MS,
        True,
        False,
    )


@pytest.mark.parametrize(
    ("numbers", "is_whole"),
    [
        ([1, 2, 3, 4], True),
        ([2, 3, 4], False),
        ([1, 2, 3], False),
        ([1, 2, 4], False),
        ([0, 1, 2, 3, 4, 9], True),
    ],
)
def test_a_closed_minute_is_whole_where_numbers_run_on_around_it(
    numbers: list[int],
    is_whole: bool,  # noqa: FBT001 - a parameter of the table above
) -> None:
    times = {0: -2, 1: -1, 2: 10, 3: 50_000, 4: 60_000, 9: 70_000}
    made = candles([trade(n, times[n], "1") for n in numbers], START + 75_000, 1)

    assert made[-1].start_ms == START
    assert made[-1].is_whole is is_whole


def test_sums_are_never_rounded() -> None:
    many, few = "12345678901234567890.12345678", "0.00000001"
    (made,) = candles([trade(1, 0, "1", many), trade(2, 1, "1", few)], START, 0)

    assert str(made.volume) == "12345678901234567890.12345679"


def test_what_is_off_the_book_has_volume_and_no_price() -> None:
    off = trade(2, 2, "500", sets_price=False)

    (made,) = candles([trade(1, 1, "10"), off], START, 0)
    assert (made.high, made.close, made.volume) == (Decimal(10), Decimal(10), Decimal(2))
    (made,) = candles([off], START, 0)
    assert (made.open, made.volume) == (None, Decimal(1))


def read(body: object, exchange: str = "binance", kind: str = "spot") -> list[Print]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return list(prints_in({"exchange": exchange, "kind": kind, "body": content}))


def test_every_form_of_a_print_is_read() -> None:
    price, quantity = Decimal("1.10"), Decimal(2)
    trade_frame = {"e": "trade", "t": 7, "T": 5, "p": "1.10", "q": "2"}
    assert read({"stream": "x@trade", "data": trade_frame}) == [
        Print(7, 5, price, quantity, 1, sets_price=True)
    ]
    assert read({"stream": "x@trade", "data": {**trade_frame, "X": "NEW"}}) == [
        Print(7, 5, price, quantity, 1, sets_price=False)
    ]
    assert read({"stream": "x@trade", "data": {**trade_frame, "X": "ADL"}}) == [
        Print(7, 5, price, Decimal(0), 0, sets_price=False)
    ]
    aggregate = {"a": 9, "p": "1.10", "q": "2", "f": 7, "l": 8, "T": 5, "m": True}
    one = Print(9, 5, price, quantity, 2, sets_price=True)
    assert read({"stream": "x@aggTrade", "data": aggregate}) == read([aggregate]) == [one]
    (invalid,) = read([{**aggregate, "f": -1, "l": -1, "q": "0"}])
    assert (invalid.trades, invalid.quantity) == (0, Decimal(0))
    rest = {"id": 7, "price": "1.10", "qty": "2", "time": 5}
    assert read([rest]) == [Print(7, 5, price, quantity, 1, sets_price=True)]


def test_deribits_numbers_are_decimals_and_blocks_set_no_price() -> None:
    row = b'{"trade_seq":7,"timestamp":5,"price":1.1,"amount":20%s}'
    body = b'{"params":{"channel":"c","data":[%s,%s]}}' % (
        row % b"",
        row % b',"block_trade_id":"B-1"',
    )

    book, block = read(body, "deribit", "future")
    assert (book.price, book.quantity, book.sets_price) == (Decimal("1.1"), Decimal(20), True)
    assert block.sets_price is False
    answer = b'{"result":{"trades":[%s]}}' % (row % b',"combo_id":"C"')
    assert [one.sets_price for one in read(answer, "deribit", "option")] == [False]
    assert [one.sets_price for one in read(answer, "deribit", "option_combo")] == [True]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'"x"',
        {"id": 1, "result": None},
        [{"id": 1}],
        [{"id": 1, "price": "x", "qty": "1", "time": 1}],
        [{"id": 1, "price": "0", "qty": "1", "time": 1}],
        [{"id": 1, "price": "1", "qty": "-1", "time": 1}],
    ],
)
def test_what_no_gate_would_let_through_is_in_no_candle(body: object) -> None:
    assert read(body) == []


def test_a_corrupt_file_spoils_no_view(store: FolderStore) -> None:
    name = f"%5Fall~live~i0_-1~t{START}_{START + 5}~here.ndjson.gz"
    store.create(f"bronze/trades/binance/spot/2025-03/{name}", b"no gzip")

    assert list(NewestPrints(store).of("trades", BITCOIN, START, START + 5)) == []


def drawn(store: FolderStore, width: int, market: dict[Any, list[Candle]]) -> list[str]:
    found = report(store, load_settings("local").status, NOW)
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(frame(found, found.streams, market))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 120])
def test_a_frame_fits_its_terminal_and_cuts_no_number(store: FolderStore, width: int) -> None:
    long_name = stream(exchange="deribit", kind="option", instrument="BTC-26DEC25-100000-C")
    say(store, collector(stream(), long_name, region="eu-central-1"))
    one = candles([trade(1, 1, "108250.1200000000", "1234.56780000")], START + 5, 0)

    shown_lines = drawn(store, width, {BITCOIN: one, ("binance", "usdm", "BTCUSDT"): one * 2})

    assert max(map(len, shown_lines)) <= width
    assert any("108250.12 108250.12 108250.12 108250.12 1234.5678" in one for one in shown_lines)
    assert any(line.startswith("binance usdm") for line in shown_lines)
    assert any("1.5 0.9s    2    1" in line for line in shown_lines)
    assert shown_lines[-1] == "all is fresh"


def test_prices_of_an_instrument_have_the_same_places(store: FolderStore) -> None:
    one = candles([trade(1, 1, "9.5000"), trade(2, 2, "10"), trade(3, 3, "9.25")], START, 0)

    assert any(
        "9.50 10.00 9.25 9.25" in " ".join(line.split())
        for line in drawn(store, 80, {BITCOIN: one})
    )


def test_a_lake_without_trades_says_so(store: FolderStore) -> None:
    told = drawn(store, 80, {})

    assert "no trades in bronze yet" in told
    assert told[-1] == "stale: no collector runs"
