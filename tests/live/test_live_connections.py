"""Connections change without a gap: before their day is over, and when a server says goodbye."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest

from extract.live.binance import LIMITS
from lake.objects import FolderStore
from tests.live.collecting import Collector, claimed, live_ids, whole
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import GENERATED, live
from tests.live.small_exchange import STREAM, Line, SmallExchange

GOODBYE = b'{"e":"serverShutdown","E":1788000000000}'
#: Each trade is sent so long after the one before, on all connections at the same time.
EVERY_SECONDS = 0.01


async def send_on(line: Line, began: float) -> None:
    """Send the trades that happen from now on, until the client goes."""
    now = asyncio.get_running_loop().time
    sent = int((now() - began) / EVERY_SECONDS)
    while not line.socket.closed:
        due = int((now() - began) / EVERY_SECONDS)
        await line.trades(sent + 1, due)
        sent = due
        await asyncio.sleep(EVERY_SECONDS)


def served(*, goodbye_after: float | None = None) -> tuple[SmallExchange, list[str]]:
    """Return an exchange whose trades run on, and the diary of its connections."""
    diary: list[str] = []
    began: list[float] = []

    async def script(line: Line) -> None:
        if not began:
            began.append(asyncio.get_running_loop().time())
        while (asked := await line.hear()) and asked["method"] != "SUBSCRIBE":
            pass
        diary.append(f"open {line.number}")
        sending = asyncio.create_task(send_on(line, began[0]))
        if goodbye_after is not None and line.number == 1:
            await asyncio.sleep(goodbye_after)
            await line.send(GOODBYE)
        await line.linger()
        diary.append(f"close {line.number}")
        sending.cancel()

    return SmallExchange(script, newest=10**6), diary


@pytest.mark.parametrize("vendor", ["native", "ccxt"])
def test_the_next_connection_opens_before_the_old_one_goes(store: FolderStore, vendor: str) -> None:
    exchange, diary = served()
    with exchange:
        settings = exchange.settings("live.connection_seconds=0.7")
        collector = Collector(settings, store, vendor=vendor)
        totals = collector.collect(lambda _: "close 2" in diary)

    assert diary[:4] == ["open 1", "open 2", "close 1", "open 3"]
    ids = live_ids(store)
    assert set(ids) == whole(set(ids)) == claimed(store)
    assert totals.holes_opened == totals.holes_closed
    assert not exchange.paths or all("fromId" not in path for path in exchange.paths)
    # while both are open every trade comes twice, and both are kept
    assert sum(count - 1 for count in ids.values()) > 20
    assert max(ids.values()) == 2


@pytest.mark.parametrize("vendor", ["native", "ccxt"])
def test_a_server_that_shuts_down_is_left_in_time(store: FolderStore, vendor: str) -> None:
    exchange, diary = served(goodbye_after=0.3)
    with exchange:
        collector = Collector(exchange.settings(), store, vendor=vendor)
        totals = collector.collect(lambda _: "close 1" in diary)

    assert diary[:3] == ["open 1", "open 2", "close 1"]
    ids = set(live_ids(store))
    assert ids == whole(ids)
    assert (totals.holes_lost, totals.odd) == (0, 0)


def test_streams_are_split_by_what_a_connection_and_a_message_may_hold(store: FolderStore) -> None:
    asked: dict[int, list[int]] = {}
    times: dict[int, list[float]] = {}

    async def script(line: Line) -> None:
        while message := await line.hear():
            asked.setdefault(line.number, []).append(len(message["params"]))
            times.setdefault(line.number, []).append(asyncio.get_running_loop().time())

    names = [f"A{n}USDT" for n in range(LIMITS.streams + 250)]
    with SmallExchange(script) as exchange:
        collector = Collector(exchange.settings("live.quiet_seconds=60"), store, instruments=names)
        collector.collect(lambda _: sum(map(sum, asked.values())) == len(names))

    assert sorted(map(sum, asked.values())) == [250, 1024]
    assert max(max(sizes) for sizes in asked.values()) == LIMITS.channels
    gaps = [after - before for line in times.values() for before, after in pairwise(line)]
    assert min(gaps) > 0.2  # five messages a second, pings counted, is what Binance bears


def test_a_server_that_refuses_connections_is_asked_less_and_less(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        if line.number > 4:
            await line.trades(1, 2)
            await line.linger()

    with SmallExchange(script, newest=2) as exchange:
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda now: now.trades == 2)

    assert totals.reconnects == 4
    assert exchange.asked[0] == {"method": "SUBSCRIBE", "params": [STREAM], "id": 1}


def test_futures_and_deribit_collect_as_spot_does(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(GENERATED, speed=60) as exchange:
        settings = settings_of(exchange)
        futures = Collector(
            settings, store, kind="usdm", streams=("aggTrade",), instruments=("BTCUSDT",)
        )
        futures.collect(lambda now: now.trades >= 50)
        options = Collector(
            settings,
            store,
            exchange="deribit",
            kind="future",
            streams=("trades",),
            instruments=("BTC-PERPETUAL",),
        )
        options.collect(lambda now: now.trades >= 50)

    for instrument, dataset in (("BTCUSDT", "agg_trades"), ("BTC-PERPETUAL", "trades")):
        ids = claimed(store, instrument, dataset)
        assert len(ids) >= 50
        assert ids == whole(ids)


def test_a_lost_connection_of_deribit_leaves_no_hole(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    from extract.replay.faults import Fault  # noqa: PLC0415 - beside its only use

    with live(GENERATED, speed=60) as exchange:
        exchange.order(Fault("disconnect", after=20, path="trades.BTC-PERPETUAL*"))
        exchange.order(Fault("dropped_message", after=20, times=4, path="trades.BTC-PERPETUAL*"))
        collector = Collector(
            settings_of(exchange),
            store,
            exchange="deribit",
            kind="future",
            streams=("trades",),
            instruments=("BTC-PERPETUAL", "ETH-PERPETUAL"),
        )
        totals = collector.collect(lambda now: now.holes_closed >= 2 and now.trades >= 300)

    assert totals.holes_lost == 0
    for instrument in ("BTC-PERPETUAL", "ETH-PERPETUAL"):
        ids = claimed(store, instrument)
        assert ids == whole(ids)


def test_deribits_heartbeat_is_asked_for_and_answered(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    from extract.live.deribit import DeribitStreams  # noqa: PLC0415 - beside its only use

    with live(GENERATED) as exchange:
        venue = DeribitStreams(settings_of(exchange), "future", [])
    (greeting,) = map(json.loads, venue.greeting())
    test_request = b'{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"test_request"}}'

    assert (greeting["method"], greeting["params"]) == ("public/set_heartbeat", {"interval": 10})
    said = venue.read(test_request).said
    assert said is not None
    assert said.kind == "test_request"
    assert json.loads(venue.sign_of_life())["method"] == "public/test"
