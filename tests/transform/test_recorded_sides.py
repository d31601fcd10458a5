"""What takers did, by recordings of each transport: held against quotes, prices and bars."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import Row, SparkSession

from tests.rows import as_json, line, listing, parsed
from tests.transform.transports import (
    Trade,
    assert_sides_follow_the_price,
    bronze_lines,
    by_transport,
    data_of,
    of_frame,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
TAPES = REFERENCE / "trade_tapes"
SESSIONS = REFERENCE / "sessions_http_ws"
MOCKS = REFERENCE / "binance_rest_ws_mocks"
DERIBIT = REFERENCE / "deribit_bodies"
MINUTES = REFERENCE / "archive_zips" / "BTCUSDT-1m-2020-01-02.zip"
pytestmark = [
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(not REFERENCE.exists(), reason="the recorded reference data are not here"),
]
SOURCES = {"live", "history", "archive"}
#: The session of each kind with aggregates and the forming bars of one minute beside them.
RECORDED = {
    "spot": "BINANCE.ws.1.0",
    "usdm": "BINANCE_FUTURES.ws.1.0",
    "coinm": "BINANCE_DELIVERY.ws.1.0",
}
TAPED = {"spot": "spot_btcusdt_20240809.gz", "coinm": "cm_btcusd_perp_20240809.gz"}
PAGES = {"spot": "/api/v3/aggTrades", "usdm": "/fapi/v1/aggTrades"}
#: Tells the recorded pages from what is written here.
PAGE = "page"
PERPETUAL = {"kind": "coinm", "instrument": "BTCUSD_PERP", "contract_size": Decimal(100)}


class Step(NamedTuple):
    """What two messages of one forming bar differ by: the trades between them."""

    instrument: str
    first: int
    last: int
    grown: dict[str, Decimal]


def frames_of_tape(kind: str) -> list[str]:
    with gzip.open(TAPES / TAPED[kind], "rt", encoding="utf-8") as file:
        return [text.partition(" ")[2].strip() for text in file if '"data"' in text]


def frames_of_session(kind: str) -> Iterator[str]:
    for text in (SESSIONS / RECORDED[kind]).read_text(encoding="utf-8").splitlines():
        _, _, body = text.partition(": ")
        if body.startswith('{"stream"'):
            yield body


def frames_of_trades(kind: str) -> list[tuple[Trade, str]]:
    """Return the first trades of a tape, and their frames as recorded."""
    sent = [body for body in frames_of_tape(kind) if '@trade"' in body][:1000]
    return [(of_frame(kind, json.loads(body)["data"]), body) for body in sent]


def page_of_rest(route: str) -> list[dict[str, Any]]:
    """Return the longest recorded page of a route."""
    text = (MOCKS / "http.json").read_text(encoding="utf-8")
    answers = json.loads(text, parse_float=str)["routes"][route]["GET"]
    pages: list[list[dict[str, Any]]] = [answer["data"] for answer in answers]
    return max(pages, key=len)


@pytest.fixture(scope="module")
def trades(spark: SparkSession) -> list[Row]:
    """Trades of the tapes, from each transport (REST and archive written here), and of REST."""
    frames = [sent for kind in TAPED for sent in frames_of_trades(kind)]
    combo = {"exchange": "deribit", "kind": "option_combo", "dataset": "trades", "instrument": ""}
    answer = (DERIBIT / "http_get_last_trades_option_combo.json").read_text(encoding="utf-8")
    notice = (DERIBIT / "ws_trades_option_combo.json").read_text(encoding="utf-8")
    page = as_json(page_of_rest("/api/v3/trades"))
    lines = [
        *bronze_lines([trade for trade, _ in frames], frames=frames),
        line(page, dataset="trades", instrument="ETHBTC"),
        line(answer, **combo),
        line(notice, **combo, mode="live", status=0),
    ]
    known = [listing(quote_unit="USD", base_unit="BTC", **PERPETUAL)]
    valid, rejected = parsed(spark, "trades", *lines, known=known)
    assert rejected == []
    return valid


@pytest.mark.parametrize("kind", ["spot", "coinm"])
def test_trades_of_the_tapes_are_the_same_from_each_transport(trades: list[Row], kind: str) -> None:
    sent = {trade.id for trade, _ in frames_of_trades(kind)}

    found = by_transport([row for row in trades if row["trade_seq"] in sent], "trade_seq")

    assert len(found) == len(sent) == 1000
    assert [set(sources) for sources in found.values()] == [SOURCES] * len(sent)
    assert [key for key, sources in found.items() if len(set(sources.values())) > 1] == []


def test_takers_of_the_coinm_tape_buy_at_the_ask_and_sell_at_the_bid(trades: list[Row]) -> None:
    rows = {row["trade_seq"]: row for row in trades if live_of(row, "coinm")}

    at_the_quote: dict[str, list[bool]] = defaultdict(list)
    bid = ask = None
    for data in map(data_of, frames_of_tape("coinm")):
        if data["e"] == "bookTicker":
            bid, ask = Decimal(data["b"]), Decimal(data["a"])
        row = rows.get(data.get("t", -1)) if data["e"] == "trade" else None
        if row is not None and bid is not None and ask is not None:
            bought = row["taker_side"] == "buy"
            at = row["price"] >= ask if bought else row["price"] <= bid
            at_the_quote[row["taker_side"]].append(at)
    assert {side: min(map(int, at)) for side, at in at_the_quote.items()} == {"buy": 1, "sell": 1}
    assert min(len(at) for at in at_the_quote.values()) > 300
    # contracts of 100 USD
    assert {(row["quantity_unit"], row["contract_size"]) for row in rows.values()} == {
        ("contract", Decimal(100))
    }
    assert all(row["quote_quantity"] == 100 * row["quantity"] for row in rows.values())


def test_sides_of_the_spot_tape_follow_the_price(trades: list[Row]) -> None:
    """Spot's quotes carry no time, and come before the trades that made them: prices have to do."""
    assert_sides_follow_the_price([row for row in trades if live_of(row, "spot")])


def test_sides_of_single_trades_over_rest_follow_the_price(trades: list[Row]) -> None:
    page = [row for row in trades if row["instrument"] == "ETHBTC"]

    assert len(page) == 1000
    assert_sides_follow_the_price(page)


def test_a_combo_of_deribit_that_stream_and_rest_recorded_is_the_same(trades: list[Row]) -> None:
    """The one trade that the recordings hold over two transports."""
    combos = [row for row in trades if row["exchange"] == "deribit"]

    (sources,) = by_transport(combos, "trade_seq").values()
    assert set(sources) == {"live", "history"}
    (one,) = set(sources.values())
    assert one[1:5] == ("sell", Decimal("0.0639"), Decimal("0.1"), Decimal("0.00639"))
    assert {row["trade_id"] for row in combos} == {"244365193"}


def live_of(row: Row, kind: str) -> bool:
    return bool(row["source"] == "live" and row["kind"] == kind)


@pytest.fixture(scope="module")
def aggregates(spark: SparkSession) -> list[Row]:
    """The sessions' aggregates, from each transport as above, and two recorded pages of REST."""
    frames = [
        (of_frame(kind, json.loads(body)["data"]), body)
        for kind in RECORDED
        for body in frames_of_session(kind)
        if '@aggTrade"' in body
    ]
    sizes = contract_sizes()
    known = [
        listing(kind="coinm", instrument=name, quote_unit="USD", contract_size=Decimal(size))
        for name, size in sizes.items()
    ]
    lines = bronze_lines([trade for trade, _ in frames], frames=frames)
    for kind, route in PAGES.items():
        lines.append(line(as_json(page_of_rest(route)), kind=kind, region=PAGE))
    valid, rejected = parsed(spark, "agg_trades", *lines, known=known)
    assert rejected == []
    return valid


def contract_sizes() -> dict[str, str]:
    """Return the contract size of each COIN-M symbol, as its `exchangeInfo` was recorded."""
    text = (SESSIONS / "BINANCE_DELIVERY.0").read_text(encoding="utf-8")
    answer = next(row for row in text.splitlines() if "/exchangeInfo -> " in row)
    symbols = json.loads(answer[answer.index("{") :], parse_float=str)["symbols"]
    return {one["symbol"]: str(one["contractSize"]) for one in symbols}


def test_aggregates_of_the_sessions_are_the_same_from_each_transport(
    aggregates: list[Row],
) -> None:
    found = by_transport([row for row in aggregates if row["region"] != PAGE], "agg_id")

    assert len(found) > 100
    assert {kind for kind, _, _ in found} == set(RECORDED)
    assert [set(sources) for sources in found.values()] == [SOURCES] * len(found)
    assert [key for key, sources in found.items() if len(set(sources.values())) > 1] == []


@pytest.mark.parametrize(("kind", "least"), [("usdm", 30), ("coinm", 5)])
def test_takers_of_the_stream_bought_what_its_own_bars_say(
    aggregates: list[Row], kind: str, least: int
) -> None:
    """A forming bar says what buying takers took (`V`): two of its messages, the trades between."""
    live = [row for row in aggregates if row["source"] == "live" and row["kind"] == kind]
    compared = 0
    for step in steps(kind):
        between = [row for row in live if row["instrument"] == step.instrument]
        between = [
            row
            for row in between
            if step.first <= row["first_trade_seq"] and row["last_trade_seq"] <= step.last
        ]
        held = sum(row["last_trade_seq"] - row["first_trade_seq"] + 1 for row in between)
        if held != step.last - step.first + 1:
            continue
        compared += 1
        bought = [row for row in between if row["taker_side"] == "buy"]
        assert sum(row["quantity"] for row in between) == step.grown["v"]
        assert sum(row["quantity"] for row in bought) == step.grown["V"]
        worth = sum(_quote_place(row) for row in bought)
        # each of the two messages is rounded at its eighth digit
        assert abs(worth - step.grown["Q"]) <= Decimal("0.00000001")
    assert compared >= least


def _quote_place(row: Row) -> Decimal:
    """Return what a bar adds up in the place of the quote volume: COIN-M's holds the base coin."""
    worth: Decimal = row["quote_quantity"]
    return worth / row["price"] if row["kind"] == "coinm" else worth


def steps(kind: str) -> Iterator[Step]:
    """Yield the steps of the forming bars of one minute of a session."""
    before: dict[tuple[str, int], dict[str, Any]] = {}
    for body in frames_of_session(kind):
        if '@kline_1m"' not in body:
            continue
        bar = data_of(body)["k"]
        last = before.get((bar["s"], bar["t"]))
        before[bar["s"], bar["t"]] = bar
        if last is not None and last["L"] < bar["L"]:
            grown = {name: Decimal(bar[name]) - Decimal(last[name]) for name in "vVQ"}
            yield Step(bar["s"], last["L"] + 1, bar["L"], grown)


def test_takers_of_a_rest_page_bought_what_the_archives_bars_say(aggregates: list[Row]) -> None:
    """A page of 1,000 aggregates of 2020-01-02 against the archive's bars of its whole minutes."""
    page = [row for row in aggregates if row["region"] == PAGE and row["kind"] == "spot"]
    with zipfile.ZipFile(MINUTES) as archive:
        bars = [text.split(",") for text in archive.read(archive.namelist()[0]).decode().split()]

    first, last = (bound(row["exchange_timestamp"] for row in page) for bound in (min, max))
    whole = [bar for bar in bars if first <= int(bar[0]) and int(bar[6]) < last]

    assert len(whole) == 7
    for bar in whole:
        inside = [row for row in page if int(bar[0]) <= row["exchange_timestamp"] <= int(bar[6])]
        bought = [row for row in inside if row["taker_side"] == "buy"]
        assert sum(row["quantity"] for row in inside) == Decimal(bar[5])
        assert sum(row["quantity"] for row in bought) == Decimal(bar[9])


@pytest.mark.parametrize("kind", ["spot", "usdm"])
def test_sides_of_a_rest_page_follow_the_price(aggregates: list[Row], kind: str) -> None:
    page = [row for row in aggregates if row["region"] == PAGE and row["kind"] == kind]

    assert_sides_follow_the_price(page)
