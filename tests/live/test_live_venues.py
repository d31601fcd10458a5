"""How each exchange's streams are named, asked for and read."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from extract.live.binance import BinanceStreams
from extract.live.stream import Frame
from extract.live.venue import Venue
from extract.live.venues import subscribed
from lake.errors import UsageError
from lake.settings import load_settings

SETTINGS = load_settings("local", environ={})
BAR = {
    "t": 1741132800000, "T": 1741132859999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": "1",
    "c": "1", "h": "1", "l": "1", "v": "1", "n": 2, "x": True, "q": "1", "V": "1", "Q": "1",
    "B": "0",
}  # fmt: skip
AGGREGATE = {
    "e": "aggTrade", "E": 1741132800123, "s": "BTCUSDT", "a": 77, "p": "1.0", "q": "2", "f": 100,
    "l": 105, "T": 1741132800100, "m": True,
}  # fmt: skip


def binance(kind: str = "usdm", *wanted: str) -> tuple[Venue, Sequence[str]]:
    one = subscribed(SETTINGS, "binance", kind, ["BTCUSDT"], wanted)
    return one.venue, [stream.channel for stream in one.streams]


def wrapped(stream: str, data: object) -> bytes:
    return json.dumps({"stream": stream, "data": data}).encode()


def read(venue: Venue, frame: bytes) -> tuple[str, Sequence[int], Sequence[int]]:
    found = venue.read(frame)
    assert found.stream is not None, frame
    return found.stream.channel, list(found.ids), list(found.times)


def kind_of(frame: Frame) -> str:
    assert frame.stream is None
    assert frame.said is not None
    return frame.said.kind


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        ("spot", ["btcusdt@trade", "btcusdt@kline_1m"]),
        ("usdm", ["btcusdt@aggTrade", "btcusdt@kline_1m"]),
        ("coinm", ["btcusdt@aggTrade", "btcusdt@kline_1m"]),
    ],
)
def test_binance_streams_are_those_of_each_market(kind: str, channels: list[str]) -> None:
    assert binance(kind)[1] == channels


def test_a_stream_that_is_not_known_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="Binance has no stream 'depth'"):
        binance("spot", "depth")
    with pytest.raises(UsageError, match="Deribit has no stream 'book'"):
        subscribed(SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], ["book"])
    with pytest.raises(UsageError, match="kraken has no streams"):
        subscribed(SETTINGS, "kraken", "spot", ["BTC/USD"], [])


def test_an_aggregate_is_followed_by_its_own_id_and_time() -> None:
    venue, _ = binance()

    assert read(venue, wrapped("btcusdt@aggTrade", AGGREGATE)) == (
        "btcusdt@aggTrade", [77], [1741132800100],
    )  # fmt: skip


def test_only_a_closed_bar_claims_its_minute() -> None:
    venue, _ = binance()
    closed, forming = ({**BAR, "x": one} for one in (True, False))
    event = {"e": "kline", "E": 1741132860001, "s": "BTCUSDT"}

    assert read(venue, wrapped("btcusdt@kline_1m", {**event, "k": closed}))[1] == [BAR["t"]]
    assert read(venue, wrapped("btcusdt@kline_1m", {**event, "k": forming}))[1] == []


@pytest.mark.parametrize(
    "changed",
    [
        {"s": "ETHUSDT"}, {"a": "77"}, {"a": -1}, {"a": 1.5}, {"a": True}, {"a": 2**63}, {"T": 5},
        {"T": "1741132800100"}, {"T": 9**18}, {"e": "trade"}, {"E": None},
    ],
)  # fmt: skip
def test_an_aggregate_that_says_nonsense_is_odd(changed: dict[str, object]) -> None:
    venue, _ = binance()

    assert kind_of(venue.read(wrapped("btcusdt@aggTrade", {**AGGREGATE, **changed}))) == "odd"


@pytest.mark.parametrize(
    "frame",
    [b"", b"{", b"null", b"[]", b"7", b'"x"', b"{}", b'{"stream":[]}', b'{"stream":"x"}',
     b'{"stream":"btcusdt@aggTrade"}', b'{"stream":"btcusdt@aggTrade","data":[]}', b"\xff",
     b'{"id":"x","result":null}', b'{"params":{}}', b'{"method":"subscription","params":null}',
     b'{"method":"heartbeat"}', b'{"id":1}'],
)  # fmt: skip
def test_no_frame_makes_a_reader_fail(frame: bytes) -> None:
    deribit = subscribed(SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], ["trades"]).venue
    for venue in (binance()[0], deribit):
        assert kind_of(venue.read(frame)) == "odd"


def test_answers_and_farewells_of_binance_are_told_from_data() -> None:
    venue = BinanceStreams(SETTINGS, "spot", [])

    assert kind_of(venue.read(b'{"result":null,"id":3}')) == "answer"
    assert kind_of(venue.read(b'{"e":"serverShutdown","E":1}')) == "shutdown"
    assert kind_of(venue.read(wrapped("!x", {"e": "serverShutdown", "E": 1}))) == "shutdown"
    refused = venue.read(b'{"error":{"code":2,"msg":"no"},"id":3}').said
    assert refused is not None
    assert (refused.number, refused.granted) == (3, frozenset())
    assert "no" in refused.error


def test_deribit_reads_every_trade_of_a_frame() -> None:
    one = subscribed(SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], ["trades"])
    rows = [
        {"instrument_name": "BTC-PERPETUAL", "trade_seq": n, "timestamp": 1741132800000 + n}
        for n in (4, 5)
    ]
    params = {"channel": "trades.BTC-PERPETUAL.100ms", "data": rows}
    frame = json.dumps({"jsonrpc": "2.0", "method": "subscription", "params": params}).encode()

    assert read(one.venue, frame)[1:] == ([4, 5], [1741132800004, 1741132800005])
    other = frame.replace(b'"instrument_name": "BTC', b'"instrument_name": "ETH', 1)
    assert kind_of(one.venue.read(other)) == "odd"


def test_deribits_default_streams_are_trades_charts_and_the_indices_of_the_instruments() -> None:
    listed = {
        "result": [
            {"instrument_name": "BTC-PERPETUAL", "price_index": "btc_usd"},
            {"instrument_name": "ETH-PERPETUAL", "price_index": "eth_usd"},
            {"instrument_name": "BTC-26DEC26", "price_index": "btc_usd"},
        ]
    }
    one = subscribed(
        SETTINGS, "deribit", "future", ["BTC-26DEC26", "BTC-PERPETUAL"], [],
        discovered=[json.dumps(listed).encode()],
    )  # fmt: skip

    assert [(stream.channel, stream.dataset) for stream in one.streams] == [
        ("trades.BTC-26DEC26.100ms", "trades"),
        ("trades.BTC-PERPETUAL.100ms", "trades"),
        ("chart.trades.BTC-26DEC26.1", "klines"),
        ("chart.trades.BTC-PERPETUAL.1", "klines"),
        ("deribit_price_index.btc_usd", "index_prices"),
    ]


@pytest.mark.parametrize(
    ("channel", "data"),
    [
        ("chart.trades.BTC-PERPETUAL.1", {"tick": 1741132800000, "open": 1.5, "cost": 0}),
        ("deribit_price_index.btc_usd", {"timestamp": 1741132800000, "price": 87.12}),
    ],
)
def test_deribits_bars_and_index_prices_claim_nothing(channel: str, data: object) -> None:
    body = json.dumps({"result": [{"instrument_name": "BTC-PERPETUAL", "price_index": "btc_usd"}]})
    one = subscribed(
        SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], [], discovered=[body.encode()]
    )
    message = {"method": "subscription", "params": {"channel": channel, "data": data}}

    assert read(one.venue, json.dumps(message).encode()) == (channel, [], [])


def test_deribits_refusals_are_the_channels_that_it_does_not_list() -> None:
    venue = subscribed(SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], ["trades"]).venue
    granted = venue.read(b'{"jsonrpc":"2.0","id":1,"result":["trades.X.100ms"]}').said
    refused = venue.read(b'{"jsonrpc":"2.0","id":1,"error":{"code":13778,"message":"raw"}}').said

    assert granted is not None
    assert granted.granted == frozenset({"trades.X.100ms"})
    assert refused is not None
    assert (refused.granted, "13778" in refused.error) == (frozenset(), True)
