"""What a collector says of itself in the lake and over HTTP, against what it has done."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from extract.live.counters import Counters
from extract.live.state import CollectorState, collectors, remove_older
from extract.live.state_writer import StateWriter
from extract.live.stream import Stream
from lake import status
from lake.clock import SystemClock, to_iso
from lake.errors import StorageError, UsageError
from lake.objects import FolderStore
from tests.live.collecting import Collector, claimed
from tests.live.conftest import MakeSettings
from tests.replay.listening import RECORDED, live, release

NOW = datetime(2025, 3, 5, 12, tzinfo=UTC)
AT_LEAST = 40


class StoppedClock(SystemClock):
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


def counters_of(*instruments: str) -> Counters:
    """Return counters of spot trades, each of one message."""
    counters = Counters()
    for name in instruments:
        counter = counters.of(Stream("binance", "spot", "trades", name, f"{name}@trade", {}))
        counter.messages, counter.trades, counter.last_message = 1, 1, NOW
    return counters


def writer(store: FolderStore, counters: Counters, **named: object) -> StateWriter:
    words = {"region": "here", "run_id": "run-1", **named}
    clock = words.pop("clock", SystemClock())
    return StateWriter(store, clock, counters, every_seconds=0.05, **words)  # type: ignore[arg-type]


def only(store: FolderStore) -> CollectorState:
    (found,) = collectors(store)
    return found


def wait_for_updates(store: FolderStore, count: int) -> None:
    seen, began = set[str](), time.monotonic()
    while len(seen) < count:
        assert time.monotonic() - began < 10
        seen |= {one.updated for one in collectors(store)}
        time.sleep(0.01)


def test_a_collector_says_in_the_lake_what_it_has_done(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), store)
        with writer(store, collector.counters):
            totals = collector.collect(
                lambda totals: totals.trades >= AT_LEAST, beside=lambda: release(exchange)
            )

    state, (held,) = only(store), [one for one in only(store).streams if one.instrument]
    assert (state.written_as, state.region, state.run_id) == ("ended", "here", "run-1")
    assert (held.exchange, held.kind, held.dataset) == ("binance", "spot", "trades")
    assert held.listing == ("binance", "spot", "BTCUSDT")
    assert held.trades == totals.trades == len(claimed(store)) >= AT_LEAST
    assert (held.messages, held.bytes) == (totals.messages, totals.bytes)
    assert (held.holes_open, held.holes_lost, held.refused) == (0, 0, False)
    assert held.last_file.endswith(".ndjson.gz")
    assert store.read(held.last_file)
    assert held.newest_ms is not None
    assert held.lag_ms is not None
    assert held.last_message is not None


def test_it_is_replaced_while_the_collector_runs_and_rates_are_of_the_last_interval(
    store: FolderStore,
) -> None:
    counters, clock = counters_of("BTCUSDT"), StoppedClock()
    told = writer(store, counters, clock=clock)

    first = told.state("running")
    (counter,) = [counters.of(one.stream) for one in counters.snapshot()]
    counter.messages, counter.trades = 31, 301
    clock.time += timedelta(seconds=3)
    second = told.state("running")

    assert first.streams[0].interval_messages == 1
    assert (second.interval_ms, second.streams[0].interval_messages) == (3000, 30)
    assert second.streams[0].interval_trades == 300
    with writer(store, counters):
        wait_for_updates(store, 3)
        assert only(store).life(SystemClock().now()) == "running"
    assert only(store).written_as == "ended"


def test_one_that_fails_says_why(store: FolderStore) -> None:
    with (
        pytest.raises(StorageError),
        writer(store, counters_of("BTCUSDT")),
    ):
        raise StorageError("the store takes nothing")

    assert only(store).written_as == "failed"
    assert "the store takes nothing" in only(store).error


def test_one_that_is_silent_for_long_is_gone(store: FolderStore) -> None:
    state = writer(store, counters_of("BTCUSDT"), clock=StoppedClock()).state("running")

    assert state.life(NOW + timedelta(seconds=20)) == "running"
    assert state.life(NOW + timedelta(seconds=21)) == "gone"


def test_a_store_that_refuses_is_told_once_and_stops_nobody(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.root.mkdir()
    (store.root / "status").write_text("in the way of the folder")
    with (
        caplog.at_level(logging.WARNING),
        writer(store, counters_of("BTCUSDT")),
    ):
        time.sleep(0.4)

    said = [one.getMessage() for one in caplog.records if "status" in one.getMessage()]
    assert len(said) == 1
    assert "it goes on" in said[0]


def put(store: FolderStore, run_id: str, *instruments: str, region: str = "here") -> None:
    """Put the state of a collector that was last heard of at NOW."""
    told = writer(
        store, counters_of(*instruments), clock=StoppedClock(), run_id=run_id, region=region
    )
    with told:
        told._end = ("running", "")


def test_a_new_collector_removes_what_the_dead_left_whose_streams_it_takes_over(
    store: FolderStore,
) -> None:
    put(store, "same", "BTCUSDT")
    put(store, "more", "BTCUSDT", "ETHUSDT")
    put(store, "elsewhere", "BTCUSDT", region="there")

    with writer(store, counters_of("BTCUSDT"), run_id="new"):
        wait_for_updates(store, 5)

    assert {one.run_id for one in collectors(store)} == {"more", "elsewhere", "new"}


def test_the_dead_are_removed_after_a_day(store: FolderStore) -> None:
    put(store, "old", "BTCUSDT")

    assert list(remove_older(store, timedelta(days=1), NOW + timedelta(hours=23))) == []
    removed = list(remove_older(store, timedelta(days=1), NOW + timedelta(hours=25)))

    assert removed == ["status/live/here-old.json"]
    assert list(collectors(store)) == []


@pytest.mark.parametrize("content", [b"{", b"[]", b"{}", b'{"streams": [{"kind": 1}]}'])
def test_an_object_that_is_no_status_is_passed_over(store: FolderStore, content: bytes) -> None:
    store.create(f"{status.LIVE}odd.json", content)

    assert list(collectors(store)) == []


def test_what_a_later_version_says_beside_is_left_out(store: FolderStore) -> None:
    put(store, "run", "BTCUSDT")
    document = status.read(store, "status/live/here-run.json")
    assert document is not None
    status.publish(store, "status/live/here-run.json", {**document, "mood": "good"})

    assert only(store).updated == to_iso(NOW)


@contextmanager
def scraped(counters: Counters, clock: SystemClock) -> Iterator[str]:
    """Serve the metrics on a free port, and give their address."""
    metrics = pytest.importorskip("extract.live.metrics", reason="prometheus-client is not here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with metrics.served(counters, clock, "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}/metrics"


def samples(url: str) -> dict[str, str]:
    """Return the samples of an exposition: the value of each name with its labels."""
    with urlopen(url) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        lines = answer.read().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    values = {name: value for name, _, value in found}
    assert len(values) == len(found), "a sample stands twice"
    return values


def test_metrics_are_the_counts_of_each_stream() -> None:
    counters, clock = counters_of("BTCUSDT", "ETHUSDT"), StoppedClock()
    bitcoin = counters.of(counters.snapshot()[0].stream)
    bitcoin.messages, bitcoin.trades, bitcoin.bytes, bitcoin.odd = 12, 34, 5678, 1
    bitcoin.holes_opened, bitcoin.holes_closed, bitcoin.holes_lost = 7, 4, 1
    bitcoin.reconnects, bitcoin.lag_ms = 2, 1500
    counters.files, counters.buffer_bytes = 9, 1024
    clock.time += timedelta(seconds=2.5)

    with scraped(counters, clock) as url:
        found = samples(url)
        bitcoin.messages = 13
        assert samples(url)[name("messages_total")] == "13.0"

    told = {
        "messages_total": "12.0",
        "trades_total": "34.0",
        "bytes_total": "5678.0",
        "odd_total": "1.0",
        "reconnects_total": "2.0",
        "holes_opened_total": "7.0",
        "holes_closed_total": "4.0",
        "holes_lost_total": "1.0",
        "holes_open": "2.0",
        "last_message_age_seconds": "2.5",
        "lag_seconds": "1.5",
        "refused": "0.0",
    }
    assert {one: found[name(one)] for one in told} == told
    assert name("lag_seconds", "ETHUSDT") not in found
    assert found["candlelake_live_files_total"] == "9.0"
    assert found["candlelake_live_buffer_bytes"] == "1024.0"
    assert "process_start_time_seconds" in found


def name(metric: str, instrument: str = "BTCUSDT") -> str:
    labels = f'dataset="trades",exchange="binance",instrument="{instrument}",kind="spot"'
    return f"candlelake_live_{metric}{{{labels}}}"


def test_a_stream_that_two_kinds_listen_to_is_one_series() -> None:
    counters = Counters()
    for channel in ("a", "b"):
        stream = Stream("deribit", "index", "index_prices", "btc_usd", channel, {})
        counters.of(stream).messages = 2

    with scraped(counters, SystemClock()) as url:
        labels = 'dataset="index_prices",exchange="deribit",instrument="btc_usd",kind="index"'
        assert samples(url)[f"candlelake_live_messages_total{{{labels}}}"] == "4.0"


def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    with scraped(Counters(), SystemClock()) as url:
        metrics = pytest.importorskip("extract.live.metrics")
        port = int(url.split(":")[2].removesuffix("/metrics"))
        with (
            pytest.raises(UsageError, match="no metrics can be served"),
            metrics.served(Counters(), SystemClock(), "127.0.0.1", port),
        ):
            pass
