"""Collectors that send to a real broker: each batch whole, nothing lost, and a clear stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter as Multiset
from collections import defaultdict
from pathlib import Path
from threading import Timer

import pytest

from extract.live.kafka_sink import KafkaSink
from extract.replay.faults import Fault
from lake.clock import SystemClock
from lake.errors import SettingsError, StorageError
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.front_door.commands import candlelake, landed, pointed_at
from tests.kafka.broker import Broker, Topic
from tests.live.collecting import Collector, all_ids, claimed, whole
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import RECORDED, live

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def sink_of(*sets: str, patience_seconds: float = 20, run_id: str = "run-1") -> KafkaSink:
    settings = load_settings("replay", sets, environ={}).kafka
    return KafkaSink(
        settings, SystemClock(), region="here", run_id=run_id, patience_seconds=patience_seconds
    )


def test_what_comes_through_losses_is_in_the_topic_in_the_order_of_its_stream(
    store: FolderStore, settings_of: MakeSettings, topic: Topic
) -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("disconnect", after=60, path="btcusdt@trade"))
        exchange.order(Fault("binary_junk", after=80, path="btcusdt@trade"))
        collector = Collector(settings_of(exchange), store)
        totals = collector.collect(
            lambda now: now.holes_closed >= 1 and now.trades >= 200 and now.odd == 1,
            sink=sink_of(*topic.sets),
        )

    sent, filled = topic.ids(), claimed(store)
    assert sent == sorted(sent)
    assert len(sent) == totals.trades
    assert set(sent) | filled == whole(set(sent) | filled)
    assert filled == all_ids(store)
    assert not set(sent) & filled
    assert not [key for key in store.names("bronze/") if "~live~" in key]
    envelopes = topic.envelopes()
    assert len(envelopes) == totals.messages + totals.odd
    assert {one["mode"] for one in envelopes} == {"live"}
    assert [one for one in envelopes if "body_base64" in one]


def test_the_command_sends_what_it_collects_and_lands_its_instruments(
    topic: Topic, tmp_path: Path
) -> None:
    words = ["--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT"]
    words += ["--streams", "trade", "--lifetime", "3s", "--sink", "kafka"]
    sets = [f"lake.root={tmp_path}", "live.seconds=0.5", *topic.sets]
    with live(RECORDED) as exchange:
        words += pointed_at(exchange)
        done = candlelake("extract", "live", *words, *(w for s in sets for w in ("--set", s)))

    assert done.returncode == 0, done.stderr
    sent = topic.ids()
    assert f"trades={len(sent):,} files=0 " in done.stdout
    assert sent == sorted(whole(set(sent)))
    assert all(key.startswith("bronze/instruments/") for key in landed(tmp_path))


def test_one_stream_stands_in_one_partition(
    store: FolderStore, settings_of: MakeSettings, topic: Topic
) -> None:
    with live(RECORDED) as exchange:
        Collector(
            settings_of(exchange), store, instruments=("BTCUSDT", "ETHUSDT", "SOLUSDT")
        ).collect(lambda now: now.trades >= 400, sink=sink_of(*topic.sets))

    partitions = defaultdict(set)
    for message in topic.messages():
        partitions[message.key()].add(message.partition())
    assert set(partitions) == {
        f"binance/spot/{name}".encode()
        for name in ("btcusdt@trade", "ethusdt@trade", "solusdt@trade")
    }
    assert all(len(found) == 1 for found in partitions.values())


def test_a_broker_that_is_away_for_some_seconds_loses_nothing(
    store: FolderStore, settings_of: MakeSettings, broker: Broker, topic: Topic
) -> None:
    def away() -> None:
        broker.stop()
        time.sleep(2)
        broker.start()

    with live(RECORDED, speed=5) as exchange:
        outage = Timer(1, away)
        outage.start()
        collector = Collector(settings_of(exchange), store)
        totals = collector.collect(
            lambda now: now.trades >= 100 and not outage.is_alive(),
            sink=sink_of(*topic.sets, patience_seconds=50),
        )
        outage.join()

    sent, filled = topic.ids(), claimed(store)
    assert set(sent) | filled == whole(set(sent) | filled)
    # a commit whose answer the outage has swallowed is sent again: the topic may hold a batch twice
    assert len(sent) >= totals.trades
    assert set(Multiset(sent).values()) <= {1, 2}


def test_a_broker_that_stays_away_ends_the_collector_and_says_what_has_not_landed(
    store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        collector = Collector(settings_of(exchange), store)
        with pytest.raises(StorageError) as stopped:
            collector.collect(
                lambda _: False,
                sink=sink_of("kafka.servers=127.0.0.1:1", patience_seconds=2),
            )

    text = str(stopped.value)
    assert "the brokers take nothing" in text
    assert "[candlelake.live at 127.0.0.1:1]" in text
    assert "messages or more in memory have not landed" in text
    assert "come by id over REST" in text


def test_a_stop_while_the_brokers_are_away_is_one_line(tmp_path: Path) -> None:
    words = ["--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT"]
    words += ["--streams", "trade", "--lifetime", "3s", "--sink", "kafka"]
    sets = [f"lake.root={tmp_path}", "live.seconds=0.5", "kafka.servers=127.0.0.1:1"]
    with live(RECORDED) as exchange:
        words += pointed_at(exchange)
        done = candlelake("extract", "live", *words, *(w for s in sets for w in ("--set", s)))

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("candlelake: ")]
    assert "have not landed" in line or "did not land within" in line


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from extract.live.batch import Batch
from extract.live.stream import Stream
from tests.kafka.test_kafka_sink import sink_of

stream = Stream("binance", "spot", "trades", "BTCUSDT", "btcusdt@trade", {})

def batch(first):
    made = Batch()
    for one in range(first, first + 5):
        made.of(stream).add(datetime.now(UTC), b"{}", [one], [1_742_943_600_000 + one])
    return made

sink = sink_of(*sys.argv[1:], "kafka.transaction_seconds=3", run_id="killed")
sink.land(batch(1))
produce = sink._produce

def produced_and_killed(producer, records):
    produce(producer, records)
    producer.flush()
    print("sent", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

sink._produce = produced_and_killed
sink.land(batch(6))
"""


def kill_within_a_transaction(topic: Topic) -> None:
    """Commit the trades 1 to 5, and die when 6 to 10 have been sent."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *topic.sets],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "sent\n"), done.stderr


def test_what_a_killed_collector_had_not_committed_nobody_reads(topic: Topic) -> None:
    kill_within_a_transaction(topic)

    assert topic.ids() == [1, 2, 3, 4, 5]
    topic.send(b"behind it")
    wait_for_reader(topic, b"behind it")
    assert topic.ids() == [1, 2, 3, 4, 5]


def wait_for_reader(topic: Topic, value: bytes, times: int = 1) -> None:
    """Wait until the brokers have given up a transaction that nobody ends."""
    give_up = time.monotonic() + 40
    while [message.value() for message in topic.messages()].count(value) < times:
        assert time.monotonic() < give_up
        time.sleep(0.5)


def test_a_wrong_option_of_the_client_is_told_at_once() -> None:
    with pytest.raises(SettingsError, match="names no broker"):
        sink_of()
    with pytest.raises(SettingsError, match="wants a name and a password"):
        sink_of("kafka.servers=x:1", "kafka.security_protocol=SASL_SSL")
    with pytest.raises(SettingsError, match="the client of Kafka refuses its options"):
        sink_of("kafka.servers=x:1", "kafka.security_protocol=SSL", "kafka.ca_file=/not/there.pem")
