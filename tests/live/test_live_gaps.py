"""No gap in the ids: after a loss, after dropped messages, and after a crash."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial

import pytest
import requests

from extract.live.counters import Totals
from extract.replay.busy.tape import Busy
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.objects import FolderStore
from tests.live.collecting import WAIT_SECONDS, Collector, all_ids, claimed, live_ids, whole
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import RECORDED, live


def all_closed(totals: Totals, holes: int, trades: int) -> bool:
    return totals.holes_closed >= holes and totals.trades >= trades and not totals.holes_lost


def wait_for_trades_beyond(exchange: ReplayExchange, trade_id: int) -> None:
    """Wait until the exchange has newer trades: a second may pass without any."""
    newest = f"{exchange.urls.spot}/api/v3/trades?symbol=BTCUSDT&limit=1"
    give_up = time.monotonic() + WAIT_SECONDS
    while requests.get(newest, timeout=WAIT_SECONDS).json()[0]["id"] <= trade_id:
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_what_comes_lands_as_it_came_and_claims_just_that(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), store)
        totals = collector.collect(lambda now: now.trades >= 300)

    ids = live_ids(store)
    assert totals.trades == sum(ids.values()) >= 300
    assert set(ids.values()) == {1}
    assert set(ids) == whole(set(ids)) == claimed(store)
    (counter,) = [one for one in collector.counters.snapshot() if one.trades]
    assert counter.last_file.endswith(".ndjson.gz")
    assert counter.lag_ms is not None


def test_a_disconnect_at_full_rate_leaves_no_hole(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED, speed=100) as exchange:
        exchange.order(*[Fault("disconnect", after=300, path="btcusdt@trade")] * 2)
        collector = Collector(settings_of(exchange), store)
        totals = collector.collect(lambda now: all_closed(now, 1, 1500) and now.reconnects >= 2)

    ids = all_ids(store)
    assert totals.holes_opened == totals.holes_closed
    assert ids == whole(ids) == claimed(store)
    assert set(live_ids(store)) < ids


def test_messages_that_an_exchange_drops_come_by_rest(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        for after in (20, 50, 90):
            exchange.order(Fault("dropped_message", after=after, times=7, path="btcusdt@trade"))
        collector = Collector(settings_of(exchange), store)
        totals = collector.collect(lambda now: all_closed(now, 3, 250))

    ids = all_ids(store)
    assert (totals.holes_opened, totals.holes_lost) == (3, 0)
    assert ids == whole(ids) == claimed(store)
    assert len(ids - set(live_ids(store))) == 21


def test_a_second_start_fills_what_the_first_one_lost(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        Collector(settings_of(exchange), store).collect(lambda now: now.trades >= 100)
        before = live_ids(store)
        wait_for_trades_beyond(exchange, max(before))
        second = Collector(settings_of(exchange), store, run_id="run-2")
        totals = second.collect(lambda now: all_closed(now, 1, 100))

    ids = all_ids(store)
    assert totals.holes_opened == totals.holes_closed >= 1
    assert min(ids) == min(before)
    assert ids == whole(ids) == claimed(store)


@pytest.mark.parametrize("seed", [1, 2])
def test_all_that_a_stream_can_do_wrong_leaves_the_tape_whole(
    store: FolderStore, settings_of: MakeSettings, seed: int
) -> None:
    fault = partial(Fault, path="btcusdt@trade")
    with live(RECORDED) as exchange:
        exchange.order(
            fault("old_message", after=20),
            fault("duplicated_message", after=25, times=3),
            fault("event_time_skew", after=30, times=3),
            fault("binary_junk", after=35),
            fault("error_message", after=40),
            fault("half_message", after=60),
            fault("dropped_message", after=80, times=2),
            fault("random_disconnect", after=90, times=3, one_in=30, seed=seed),
            fault("silence", after=160),
        )
        settings = settings_of(exchange, "live.stale_seconds=1")
        collector = Collector(settings, store, instruments=("BTCUSDT", "ETHUSDT"))
        totals = collector.collect(
            lambda now: (
                now.reconnects >= 5 and now.trades > 600 and now.holes_opened == now.holes_closed
            )
        )

    assert totals.odd == 2
    for instrument in ("BTCUSDT", "ETHUSDT"):
        ids = all_ids(store, instrument)
        assert ids == whole(ids) == claimed(store, instrument)


def test_two_losses_at_thousands_of_trades_a_second_leave_no_hole(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    busy = Busy(instruments=2, trades_per_second=4_000)
    began = (busy.start + timedelta(minutes=5)).isoformat()
    name = "BUSY000USDT"
    with live(began, speed=1, rules=Rules(busy=busy)) as exchange:
        exchange.order(*[Fault("disconnect", after=2_500, path="busy000usdt@trade")] * 2)
        collector = Collector(settings_of(exchange), store, instruments=busy.symbols)
        totals = collector.collect(
            lambda now: now.reconnects >= 2 and now.holes_opened == now.holes_closed >= 2
        )

    assert totals.holes_lost == 0
    for instrument in busy.symbols:
        ids = claimed(store, instrument)
        assert ids == whole(ids)
    frames = live_ids(store, name)
    assert set(frames) < claimed(store, name)
