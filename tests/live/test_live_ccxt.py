"""Streams that CCXT connects to: the same frames, the same claims, and no hole after a loss."""

from __future__ import annotations

import json
import re
from collections import Counter as Multiset
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ccxt.pro
import pytest

from extract.live.ccxt_streams import OFFERED
from extract.live.venues import subscribed
from extract.replay.faults import Fault
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.live.collecting import Collector, all_ids, claimed, lines, live_ids, whole
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import GENERATED, RECORDED, live
from tests.live.small_exchange import Line, SmallExchange

SETTINGS = load_settings("local", environ={})


def bodies(store: FolderStore, dataset: str) -> Mapping[str, Multiset[bytes]]:
    """Return the frames of each instrument, as they lie in bronze."""
    found: dict[str, Multiset[bytes]] = {}
    for line in lines(store, dataset):
        if line["mode"] == "live":
            found.setdefault(line["instrument"], Multiset())[line["body"]] += 1
    return found


def rows_of(frame: bytes) -> Sequence[int]:
    """Return the ids of a frame of trades or aggregates."""
    document = json.loads(frame)
    if "params" in document:
        return [row["trade_seq"] for row in document["params"]["data"]]
    return [document["data"].get("t") or document["data"]["a"]]


class Tape(NamedTuple):
    """What is played to a collector."""

    exchange: str
    kind: str
    stream: str
    instrument: str
    dataset: str
    start: str
    speed: int


@pytest.mark.parametrize(
    "tape",
    [
        Tape("binance", "spot", "trade", "BTCUSDT", "trades", RECORDED, 20),
        Tape("binance", "usdm", "aggTrade", "BTCUSDT", "agg_trades", GENERATED, 60),
        Tape("binance", "coinm", "aggTrade", "BTCUSD_PERP", "agg_trades", GENERATED, 60),
        Tape("deribit", "future", "trades", "BTC-PERPETUAL", "trades", GENERATED, 60),
    ],
    ids=lambda tape: f"{tape.exchange}-{tape.kind}",
)
def test_frames_and_claims_are_those_of_the_native_way(
    tmp_path: Path, settings_of: MakeSettings, tape: Tape
) -> None:
    instrument, dataset = tape.instrument, tape.dataset
    stores = {vendor: FolderStore(tmp_path / vendor) for vendor in ("native", "ccxt")}
    for vendor, store in stores.items():
        with live(tape.start, speed=tape.speed) as replay:
            collector = Collector(
                settings_of(replay),
                store,
                exchange=tape.exchange,
                kind=tape.kind,
                instruments=(instrument,),
                streams=(tape.stream,),
                vendor=vendor,
            )
            totals = collector.collect(lambda now: now.trades >= 150)
        assert (totals.odd, totals.holes_opened, totals.reconnects) == (0, 0, 0)

    frames = {vendor: set(bodies(store, dataset)[instrument]) for vendor, store in stores.items()}
    # a run of either ends where it likes: both have the frames of the rows that both have
    common = set.intersection(
        *({row for frame in each for row in rows_of(frame)} for each in frames.values())
    )
    assert len(common) >= 100
    native, by_ccxt = (
        {frame for frame in each if common.issuperset(rows_of(frame))} for each in frames.values()
    )
    assert by_ccxt == native
    for vendor, store in stores.items():
        ids = {row for frame in frames[vendor] for row in rows_of(frame)}
        assert ids == whole(ids) == claimed(store, instrument, dataset)


def without(line: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in names}


def test_an_envelope_differs_in_its_request_alone(
    tmp_path: Path, settings_of: MakeSettings
) -> None:
    found = {}
    with live(RECORDED) as replay:
        for vendor in ("native", "ccxt"):
            store = FolderStore(tmp_path / vendor)
            Collector(settings_of(replay), store, vendor=vendor).collect(lambda now: now.trades > 0)
            found[vendor] = next(lines(store))

    native, by_ccxt = found["native"], found["ccxt"]
    own = ("request", "body", "end_download_timestamp", "knowledge_timestamp", "packed_as")
    assert without(by_ccxt, *own) == without(native, *own)
    assert json.loads(native["request"])["params"] == {"stream": "btcusdt@trade"}
    assert json.loads(by_ccxt["request"])["params"] == {"stream": "btcusdt@trade", "vendor": "ccxt"}
    assert json.loads(by_ccxt["request"])["url"].endswith("/ws/0")


def test_bars_come_beside_trades_on_one_connection(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED, speed=30) as replay:
        collector = Collector(
            settings_of(replay),
            store,
            instruments=("BTCUSDT", "ETHUSDT"),
            streams=("trade", "kline_1m"),
            vendor="ccxt",
        )
        collector.collect(lambda _: any(bodies(store, "klines")))
        opened = replay.requests.count(path="/ws/*")

    assert opened == 1
    assert all(b'"e":"kline"' in frame for frame in bodies(store, "klines")["BTCUSDT"])


def test_a_disconnect_leaves_no_hole(store: FolderStore, settings_of: MakeSettings) -> None:
    with live(RECORDED, speed=100) as replay:
        replay.order(*[Fault("disconnect", after=300, path="btcusdt@trade")] * 2)
        collector = Collector(settings_of(replay), store, vendor="ccxt")
        totals = collector.collect(
            lambda now: now.trades >= 1500 and now.reconnects >= 2 and now.holes_closed >= 1
        )

    ids = all_ids(store)
    assert totals.holes_opened == totals.holes_closed
    assert totals.holes_lost == 0
    assert ids == whole(ids) == claimed(store)
    assert set(live_ids(store)) < ids


def test_a_lost_connection_of_deribit_leaves_no_hole(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(GENERATED, speed=60) as replay:
        replay.order(Fault("disconnect", after=20, path="trades.BTC-PERPETUAL*"))
        collector = Collector(
            settings_of(replay),
            store,
            exchange="deribit",
            kind="future",
            instruments=("BTC-PERPETUAL",),
            streams=("trades", "chart"),
            vendor="ccxt",
        )
        totals = collector.collect(lambda now: now.trades >= 150 and now.reconnects >= 1)

    assert totals.holes_opened == totals.holes_closed
    ids = claimed(store, "BTC-PERPETUAL")
    assert ids == whole(ids)
    assert len(ids) >= 150


def test_junk_ends_nothing_and_is_kept(store: FolderStore, settings_of: MakeSettings) -> None:
    """CCXT by itself reads on no more after a frame that is no UTF-8."""
    with live(RECORDED) as replay:
        replay.order(
            Fault("binary_junk", after=20, path="btcusdt@trade"),
            Fault("error_message", after=40, path="btcusdt@trade"),
            Fault("dropped_message", after=60, times=3, path="btcusdt@trade"),
        )
        collector = Collector(settings_of(replay), store, vendor="ccxt")
        totals = collector.collect(lambda now: now.trades >= 150 and now.holes_closed >= 1)

    assert (totals.odd, totals.reconnects) == (2, 0)
    ids = all_ids(store)
    assert ids == whole(ids) == claimed(store)


def test_a_connection_without_a_sign_of_life_is_replaced(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        while (message := await line.hear()) and message["method"] != "SUBSCRIBE":
            pass
        await line.trades(1, 5)
        if line.number > 1:
            await line.trades(6, 9)
            await line.linger()
        # the first one stays open, and answers no ping
        while not line.socket.closed:
            await line.socket.receive()

    with SmallExchange(script, newest=9) as exchange:
        settings = exchange.settings("live.stale_seconds=0.6", "live.quiet_seconds=60")
        collector = Collector(settings, store, vendor="ccxt")
        totals = collector.collect(lambda now: now.trades >= 14)

    assert totals.reconnects == 1
    assert claimed(store) == set(range(1, 10))


def test_one_stream_that_is_refused_costs_no_other(store: FolderStore) -> None:
    refusal = b'{"code":2,"msg":"Invalid request: subscription refused","id":%d}'

    async def script(line: Line) -> None:
        await line.hear()
        for _ in range(3):
            asked = await line.hear(answer=None)
            is_spoilt = "nonesuch@trade" in asked["params"]
            await line.send((refusal if is_spoilt else b'{"result":null,"id":%d}') % asked["id"])
            if not is_spoilt:
                await line.trades(1, 3)
        await line.linger()

    with SmallExchange(script, newest=3) as exchange:
        collector = Collector(
            exchange.settings(), store, instruments=("BTCUSDT", "NONESUCH"), vendor="ccxt"
        )
        totals = collector.collect(
            lambda now: (
                now.trades == 3 and any(one.refused for one in collector.counters.snapshot())
            )
        )

    refused = [one.stream.channel for one in collector.counters.snapshot() if one.refused]
    assert refused == ["nonesuch@trade"]
    assert totals.reconnects == 0


@pytest.mark.parametrize(
    ("exchange", "kind", "wanted", "words"),
    [
        ("deribit", "future", "index", r"no stream 'index' of deribit.*trades, chart.*native"),
        ("binance", "spot", "bookTicker", r"no stream 'bookTicker' of binance.*kline_1m.*native"),
    ],
)
def test_what_ccxt_does_not_give_is_refused(
    exchange: str, kind: str, wanted: str, words: str
) -> None:
    with pytest.raises(UsageError) as raised:
        subscribed(SETTINGS, exchange, kind, ["BTC-PERPETUAL"], [wanted], vendor="ccxt")

    assert re.search(words, str(raised.value))


def test_defaults_are_what_ccxt_has_and_the_rest_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = subscribed(SETTINGS, "deribit", "future", ["BTC-PERPETUAL"], [], vendor="ccxt")

    assert [stream.channel for stream in one.streams] == [
        "trades.BTC-PERPETUAL.100ms",
        "chart.trades.BTC-PERPETUAL.1",
    ]
    assert "CCXT has no stream index of deribit: not collected" in caplog.text


def test_a_vendor_that_is_unknown_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="no vendor 'tardis'"):
        subscribed(SETTINGS, "binance", "spot", ["BTCUSDT"], [], vendor="tardis")


@pytest.mark.parametrize("exchange", OFFERED)
def test_ccxt_has_what_we_say_it_has(exchange: str) -> None:
    has = getattr(ccxt.pro, exchange)().has

    assert has["watchTradesForSymbols"] is True
    assert has["watchOHLCVForSymbols"] is True
