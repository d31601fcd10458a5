"""What exchanges and networks do to a collector: nothing is dropped without a word."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import UTC, datetime, timedelta

import pytest

from lake.clock import to_millis
from lake.errors import PermanentExtractError
from lake.objects import FolderStore
from tests.live.collecting import Collector, all_ids, claimed, lines, live_ids, whole
from tests.live.small_exchange import BEGAN_MS, STREAM, Line, SmallExchange, frame

JUNK = (
    b"\x00\xff\xfe not a frame",
    frame(7)[:-20],
    b'{"stream":"ethusdt@trade","data":{}}',
    b'{"error":{"code":2,"msg":"Invalid request"},"id":null}',
    b"[]",
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"s":"BTCUSDT","t":-1,"T":1}}',
)


def test_junk_lands_raw_claims_nothing_and_is_counted(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 3)
        await line.send(*JUNK)
        await line.socket.send_bytes(JUNK[0])
        await line.trades(4, 6)
        await line.linger()

    with SmallExchange(script, newest=6) as exchange:
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda now: now.trades >= 6 and now.files > 0)

    landed = [line for line in lines(store) if line["body"] in JUNK]
    assert sorted(line["body"] for line in landed) == sorted([*JUNK, JUNK[0]])
    assert all("packed_as" not in line for line in landed)
    assert totals.odd == len(JUNK) + 1
    frames = [line for line in lines(store) if line["body"].startswith(b'{"stream":"btcusdt')]
    assert len(frames) == 6 + 2
    assert claimed(store) == set(range(1, 7))


def test_binary_that_is_no_text_is_kept_in_base64(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.socket.send_bytes(JUNK[0])
        await line.linger()

    with SmallExchange(script) as exchange:
        Collector(exchange.settings(), store).collect(lambda now: now.odd == 1 and now.files > 0)

    (line,) = lines(store)
    assert base64.b64encode(line["body"]).decode() == "AP/+IG5vdCBhIGZyYW1l"
    assert (line["instrument"], line["mode"], line["sequence"]) == ("", "live", 1)


def test_a_message_that_is_cut_by_a_lost_connection_comes_by_rest(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        if line.number == 1:
            await line.trades(1, 3)
            transport = line.socket.get_extra_info("socket")
            await asyncio.sleep(0.05)
            whole_frame = frame(4)
            transport.send(bytes([0x81, 126, 0, len(whole_frame)]) + whole_frame[:30])
            transport.shutdown(2)
            return
        await line.trades(6, 7)
        await line.linger()

    with SmallExchange(script, newest=7) as exchange:
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda now: now.trades >= 5 and now.holes_closed >= 1)

    assert totals.reconnects == 1
    assert all_ids(store) == claimed(store) == set(range(1, 8))


def test_ids_that_jump_back_are_kept_and_open_nothing(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(10, 14)
        await line.trades(11, 12)
        await line.trades(10, 10)
        await line.trades(15, 16)
        await line.linger()

    with SmallExchange(script, newest=16) as exchange:
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda now: now.trades >= 10)

    ids = live_ids(store)
    assert (totals.holes_opened, totals.trades) == (0, 10)
    assert {one for one, count in ids.items() if count == 2} == {10, 11, 12}
    assert claimed(store) == set(range(10, 17))


def test_a_silent_connection_is_replaced_within_seconds(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        if line.number == 1:
            await line.trades(1, 2)
            await asyncio.sleep(15)  # not even a ping is answered
        await line.trades(5, 6)
        await line.linger()

    with SmallExchange(script, newest=6) as exchange:
        settings = exchange.settings("live.stale_seconds=0.4")
        totals = Collector(settings, store).collect(
            lambda now: now.trades >= 4 and now.holes_closed >= 1
        )

    assert totals.reconnects == 1
    assert all_ids(store) == claimed(store) == set(range(1, 7))


def test_a_connection_that_answers_pings_is_left_alone(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.linger()

    with SmallExchange(script, newest=2) as exchange:
        settings = exchange.settings("live.stale_seconds=0.3")
        totals = Collector(settings, store).collect(lambda _: False, life_seconds=1.5)

        assert exchange.connections == 1
    assert (totals.reconnects, totals.trades) == (0, 2)


def test_a_ping_of_the_exchange_is_answered_in_its_own_words(store: FolderStore) -> None:
    pongs = []

    async def script(line: Line) -> None:
        await line.hear()
        await line.socket.ping(b"1788000000")
        pongs.append((await line.socket.receive()).data)
        await line.linger()

    with SmallExchange(script) as exchange:
        Collector(exchange.settings(), store).collect(lambda _: bool(pongs))

    assert pongs == [b"1788000000"]


def test_a_stream_that_goes_silent_while_its_ids_run_on_is_noticed(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        if line.number == 1:
            await line.trades(1, 3)
        else:
            await line.trades(30, 31)
        await line.linger()

    with SmallExchange(script, newest=20) as exchange:
        collector = Collector(exchange.settings("live.quiet_seconds=0.3"), store)

        began = time.monotonic()

        def grow() -> None:
            exchange.newest = min(31, 20 + int((time.monotonic() - began) / 0.15))

        totals = collector.collect(
            lambda now: now.trades >= 5 and now.holes_opened == now.holes_closed, beside=grow
        )

    assert totals.holes_closed >= 2
    assert all_ids(store) == claimed(store) == set(range(1, 32))


def test_a_clock_that_is_an_hour_off_changes_nothing_but_the_stamps(store: FolderStore) -> None:
    class Skewed:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(hours=1)

        def sleep(self, seconds: float) -> None:
            raise AssertionError(seconds)

    now_id = (to_millis(datetime.now(UTC)) - BEGAN_MS) // 1000

    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(now_id, now_id + 2)
        await line.trades(now_id + 5, now_id + 6)
        await line.linger()

    with SmallExchange(script, newest=now_id + 6) as exchange:
        collector = Collector(exchange.settings(), store, clock=Skewed())
        totals = collector.collect(lambda now: now.holes_closed == 1 and now.trades >= 5)

    ids = all_ids(store)
    assert ids == whole(ids) == claimed(store)
    assert totals.odd == 0


@pytest.mark.parametrize("days", [2, 400])
def test_a_time_ahead_of_all_clocks_claims_nothing(store: FolderStore, days: int) -> None:
    later = to_millis(datetime.now(UTC) + timedelta(days=days))
    text = str(later).encode()

    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.send(frame(3).replace(b'"T":%d' % (BEGAN_MS + 3000), b'"T":' + text))
        await line.trades(4, 5)
        await line.linger()

    with SmallExchange(script, newest=5) as exchange:
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda now: now.trades >= 4 and now.holes_closed == 1)

    assert totals.odd == 1
    assert claimed(store) == set(range(1, 6))


def test_a_refused_stream_is_named_and_the_others_go_on(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = b'{"error":{"code":2,"msg":"Invalid request: no such stream"},"id":%d}'

    async def script(line: Line) -> None:
        while True:
            asked = await line.hear(answer=None)
            if asked is None:
                return
            bad = "ethusdt@trade" in asked["params"]
            answer = refusal if bad else b'{"result":null,"id":%d}'
            await line.send(answer % asked["id"])
            if not bad and STREAM in asked["params"]:
                await line.trades(1, 3)

    with SmallExchange(script, newest=3) as exchange:
        collector = Collector(
            exchange.settings(), store, instruments=("ADAUSDT", "BTCUSDT", "ETHUSDT", "SOLUSDT")
        )
        totals = collector.collect(lambda now: now.trades >= 3 and now.refused == 1)

    (refused,) = [one for one in collector.counters.snapshot() if one.refused]
    assert refused.stream.channel == "ethusdt@trade"
    assert "refuses ethusdt@trade" in caplog.text
    assert "no such stream" in caplog.text
    assert totals.reconnects == 0
    assert b"no such stream" in b"".join(line["body"] for line in lines(store))


def test_a_collector_whose_every_stream_is_refused_ends(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        while await line.hear(answer=b'{"code":2,"msg":"Invalid request","id":%d}'):
            pass

    with SmallExchange(script) as exchange:
        collector = Collector(exchange.settings(), store, instruments=("AUSDT", "BUSDT"))
        with pytest.raises(PermanentExtractError, match="every stream is refused, 2 of 2"):
            collector.collect(lambda _: False)


def test_a_hole_that_rest_cannot_fill_is_told_with_what_repairs_it(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.trades(5, 6)
        await line.linger()

    with SmallExchange(script, newest=6) as exchange:
        exchange.refuses_rest = True
        totals = Collector(exchange.settings(), store).collect(lambda now: now.holes_lost == 1)

    assert (totals.holes_opened, totals.holes_closed) == (1, 0)
    assert "ids=3..4 stays open" in caplog.text
    assert "candlelake repair --exchange binance --kind spot --instruments 'BTCUSDT'" in caplog.text
    assert claimed(store) == {1, 2, 5, 6}
    # the next start finds it in the names, and fills it
    with SmallExchange(script, newest=6) as exchange:
        second = Collector(exchange.settings(), store, run_id="run-2")
        second.collect(lambda now: now.holes_closed >= 1)

    assert all_ids(store) == claimed(store) == set(range(1, 7))


def test_a_hole_of_very_many_ids_is_left_to_repair(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.trades(5000, 5001)
        await line.linger()

    with SmallExchange(script, newest=5001) as exchange:
        settings = exchange.settings("live.fill_ids=1000")
        Collector(settings, store).collect(lambda now: now.holes_lost == 1)

        assert not [path for path in exchange.paths if "fromId" in path]
    assert "more ids than live.fill_ids" in caplog.text


def test_a_life_that_is_over_waits_for_answers_and_a_stop_does_not(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.trades(5, 6)
        await line.linger()

    began = time.monotonic()
    with SmallExchange(script, newest=6) as exchange:
        exchange.stalls_rest = True
        collector = Collector(exchange.settings(), store)
        totals = collector.collect(lambda _: time.monotonic() - began > 3, life_seconds=1)

    assert 3 < time.monotonic() - began < 8
    assert (totals.holes_opened, totals.holes_closed) == (1, 0)
    assert claimed(store) == {1, 2, 5, 6}


def test_spot_trades_by_id_are_asked_of_the_host_that_serves_them(store: FolderStore) -> None:
    async def script(line: Line) -> None:
        await line.hear()
        await line.trades(1, 2)
        await line.trades(5, 6)
        await line.linger()

    with SmallExchange(script, newest=6) as exchange, SmallExchange(script, newest=6) as other:
        named = f"exchanges.binance.spot.historical_trades_url={other.url}"
        collector = Collector(exchange.settings(named), store)
        collector.collect(lambda now: now.holes_closed == 1)

        assert [path.partition("?")[0] for path in other.paths] == ["historicalTrades"]
        assert "historicalTrades" not in {path.partition("?")[0] for path in exchange.paths}
    assert claimed(store) == set(range(1, 7))
