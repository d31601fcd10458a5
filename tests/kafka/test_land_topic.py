"""The topic to bronze: exactly once, whatever is killed, cut or sent by others."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.context import Context
from jobs.doctor import examine
from jobs.streams import begin_anew
from jobs.topic_stream import Landed, bring, checkpoint_name
from lake.errors import StorageError
from lake.objects import FolderStore
from tests.conftest import ROOT
from tests.jobs.conftest import context_of
from tests.kafka.broker import Broker, Topic
from tests.kafka.test_kafka_sink import kill_within_a_transaction, sink_of, wait_for_reader
from tests.live.collecting import Collector, claimed, live_ids
from tests.live.conftest import MakeSettings
from tests.live.running_exchange import RECORDED, live

pytestmark = [pytest.mark.spark, pytest.mark.slow]
BareLake = Callable[..., Context]


@pytest.fixture
def bare_lake(spark: SparkSession, tmp_path: Path) -> BareLake:
    """Return what opens a lake without any table: files need none."""

    def opened(*sets: str) -> Context:
        return context_of(spark, tmp_path / "bare", *sets)

    return opened


def landed(context: Context) -> Landed:
    found = Landed()
    bring(context, found, every_seconds=None, stopping=Event())
    return found


def files(store: Any, prefix: str = "bronze/") -> dict[str, bytes]:
    return {key: store.read(key) for key in store.names(prefix)}


@pytest.fixture
def filled(topic: Topic, store: FolderStore, settings_of: MakeSettings) -> Topic:
    """A topic with what a collector sent, in many transactions."""
    with live(RECORDED) as exchange:
        Collector(settings_of(exchange), store, instruments=("BTCUSDT", "ETHUSDT")).collect(
            lambda now: now.trades >= 200, sink=sink_of(*topic.sets)
        )
    return topic


#: What the job runs, but that it is killed when its first batch has landed and is not committed.
KILLED = """
import os, signal, sys
from jobs import land_topic, topic_stream

land = topic_stream.land_batch

def landed_and_killed(*words):
    land(*words)
    print("landed", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

topic_stream.land_batch = landed_and_killed
sets = [word for one in sys.argv[1:] for word in ("--set", one)]
sys.argv[1:] = sets
land_topic.run_job(land_topic.land_topic)
"""


def test_a_batch_that_was_landed_and_not_committed_lands_once(
    bare_lake: BareLake, filled: Topic
) -> None:
    context = bare_lake(*filled.sets, "kafka.records_per_batch=100")
    root = f"lake.root={context.store.location('').rstrip('/')}"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, root, *filled.sets, "kafka.records_per_batch=100"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (done.returncode, done.stdout.split()[-1:]) == (-signal.SIGKILL, ["landed"]), done.stderr
    before = files(context.store)
    assert before
    assert not list(context.store.names(f"checkpoints/{checkpoint_name(filled.name)}/1/commits/"))

    counts = landed(context)

    sent = filled.ids()
    after = files(context.store)
    assert {key: after[key] for key in before} == before
    assert counts.batches > 1
    assert counts.records == len(sent)
    landed_ids = [
        *live_ids(context.store).elements(),
        *live_ids(context.store, "ETHUSDT").elements(),
    ]
    assert sorted(landed_ids) == sorted(sent)
    assert landed(context).records == 0


def test_what_a_killed_collector_had_not_committed_does_not_land(
    bare_lake: BareLake, topic: Topic
) -> None:
    context = bare_lake(*topic.sets)
    kill_within_a_transaction(topic)
    assert landed(context).records == 5
    for partition in range(topic.partitions):
        topic.send(b"behind it", partition=partition)
    wait_for_reader(topic, b"behind it", times=topic.partitions)

    assert landed(context).quarantined == topic.partitions
    assert claimed(context.store) == {1, 2, 3, 4, 5}


def test_what_foreign_producers_send_is_kept_told_and_stops_nothing(
    bare_lake: BareLake, filled: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    context = bare_lake(*filled.sets)
    first = len([one for one in filled.messages() if one.partition() == 1])
    sent = filled.ids()
    filled.send(b"\x00\xff", None, partition=1, key=b"who", headers=[("ids", b"1"), ("x", None)])
    filled.send(b'{"exchange":"binance"}', partition=1)

    counts = landed(context)

    assert counts.quarantined == 3
    assert counts.records == len(sent) + 3
    assert "3 records of partition 1 can't be read" in caplog.text
    (key,) = [key for key in context.store.names("bronze/quarantine/") if "~" in key]
    assert key.startswith(f"bronze/quarantine/{filled.name}/p1~o")
    junk = [
        json.loads(line) for line in gzip.decompress(context.store.read(key) or b"").splitlines()
    ]
    assert [b64decode(one["value_base64"] or "") for one in junk] == [
        b"\x00\xff",
        b"",
        b'{"exchange":"binance"}',
    ]
    assert junk[1]["reason"] == "it has no value"
    assert junk[0]["headers"] == [["ids", "MQ=="], ["x", None]]
    assert junk[0]["key_base64"] == "d2hv"
    assert {one["partition"] for one in junk} == {1}
    assert junk[0]["offset"] >= first
    assert all(one["kafka_timestamp"].endswith("Z") for one in junk)
    # it is no corrupt bronze file
    assert next(iter(examine(context))).endswith("0 corrupt")


def test_records_that_were_deleted_before_they_were_read_are_told(
    bare_lake: BareLake, topic: Topic
) -> None:
    context = bare_lake(*topic.sets)
    topic.send(b"1", b"2", b"3")
    assert landed(context).quarantined == 3
    topic.send(b"4", b"5")
    topic.cut()
    topic.send(b"6")

    for _ in range(2):
        with pytest.raises(StorageError) as lost:
            landed(context)
        text = str(lost.value)
        assert f"offsets [3, 6) of {topic.name}-0" in text.replace("[3,6)", "[3, 6)")
        assert "--from-start" in text
        assert "candlelake repair" in text

    begin_anew(context, checkpoint_name(topic.name))
    assert landed(context).quarantined == 1


def test_a_store_that_refuses_stops_it_and_nothing_is_skipped(
    bare_lake: BareLake, filled: Topic
) -> None:
    context = bare_lake(*filled.sets, "live.store_patience_seconds=0")
    assert context.store.create("bronze/trades", b"in the way of a folder")

    with pytest.raises(StorageError, match="could not create") as refused:
        landed(context)
    assert "bronze/trades" in str(refused.value)
    assert "\n" not in str(refused.value)

    context.store.delete("bronze/trades")
    assert landed(context).records == len(filled.ids())


def test_a_topic_that_is_not_there_is_told(bare_lake: BareLake, broker: Broker) -> None:
    context = bare_lake(f"kafka.servers={broker.servers}", "kafka.topic=nobody.made.it")

    with pytest.raises(StorageError, match="there is no such topic"):
        landed(context)


def test_records_of_two_collectors_lie_in_files_of_their_own(
    bare_lake: BareLake, filled: Topic, store: FolderStore, settings_of: MakeSettings
) -> None:
    with live(RECORDED) as exchange:
        Collector(settings_of(exchange), store).collect(
            lambda now: now.trades >= 50, sink=sink_of(*filled.sets, run_id="run-2")
        )
    context = bare_lake(*filled.sets)

    landed(context)

    packs = [key for key in context.store.names("bronze/trades/") if key.endswith(".gz")]
    assert {key.rpartition("~here-")[2][:5] for key in packs} == {"run-1", "run-2"}
    bodies = {line["run_id"] for key in packs if "run-2" in key for line in read(context, key)}
    assert bodies == {"run-2"}


def read(context: Context, key: str) -> list[dict[str, Any]]:
    content = gzip.decompress(context.store.read(key) or b"")
    return [json.loads(line) for line in content.splitlines()]


def test_the_job_goes_on_until_it_is_told_to_stop(
    filled: Topic, tmp_path: Path, settings_of: MakeSettings
) -> None:
    lake = tmp_path / "landed"
    words = ("--continuous", "--set", f"lake.root={lake}", "--set", "kafka.interval_seconds=1")
    sets = [word for one in filled.sets for word in ("--set", one)]
    running = subprocess.Popen(
        [sys.executable, "-m", "jobs.land_topic", *words, *sets],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        first = set(filled.ids())
        wait_for_ids(lake, first)
        with live(RECORDED) as exchange:
            Collector(settings_of(exchange), FolderStore(tmp_path / "other")).collect(
                lambda now: now.trades >= 50, sink=sink_of(*filled.sets, run_id="run-2")
            )
        wait_for_ids(lake, set(filled.ids()))
        running.terminate()
        printed, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, said[-2000:]
    # a batch that does not end in time is not counted, and comes again
    counted = f"records={len(filled.ids())} " in printed
    assert counted or "stopped within a batch" in said, said[-2000:]
    shutil.rmtree(lake)


def wait_for_ids(lake: Path, ids: set[int]) -> None:
    give_up = time.monotonic() + 90
    while ids - set(live_ids(FolderStore(lake))) - set(live_ids(FolderStore(lake), "ETHUSDT")):
        assert time.monotonic() < give_up
        time.sleep(0.5)
