"""Trades that go by the topic end in the same silver as trades that land straight."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest

from extract.live.batch import Batch
from extract.live.kafka_sink import KafkaSink
from extract.live.packs import Pack
from extract.live.sink import BronzeSink
from extract.replay.faults import Fault
from extract.window import extract_instruments
from jobs import instruments, silver
from jobs.context import Context
from jobs.doctor import examine
from jobs.topic_stream import Landed, bring
from lake.clock import SystemClock
from lake.settings import load_settings
from lake.tables import OPS_CONTINUITY, SILVER_TRADES
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.kafka.broker import Topic
from tests.kafka.test_kafka_sink import sink_of
from tests.live.collecting import Collector, all_ids, claimed, live_ids, whole
from tests.live.conftest import HURRIED
from tests.live.running_exchange import RECORDED, live

pytestmark = [pytest.mark.spark, pytest.mark.slow]
#: What differs between two ways of the same trade: where it lies, and when it was persisted.
ITS_OWN = {"bronze_file", "bronze_line", "knowledge_timestamp"}


class BothSinks:
    """Sends each batch to the topic, and lands it beside."""

    def __init__(self, kafka: KafkaSink, bronze: BronzeSink) -> None:
        self._kafka = kafka
        self._bronze = bronze

    def land(self, batch: Batch) -> Sequence[Pack]:
        self._kafka.land(batch)
        return self._bronze.land(batch)

    def hurry(self, seconds: float) -> None:
        self._kafka.hurry(seconds)
        self._bronze.hurry(seconds)


def test_collected_trades_end_in_the_same_silver_by_either_way(
    open_lake: OpenLake, topic: Topic
) -> None:
    straight, by_topic = open_lake(), open_lake(*topic.sets)
    with live(RECORDED) as exchange:
        exchange.order(Fault("dropped_message", after=40, times=5, path="btcusdt@trade"))
        exchange.order(Fault("disconnect", after=120, path="btcusdt@trade"))
        sets = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
        settings = load_settings("replay", [*sets, *HURRIED], environ={})
        extract_instruments(
            settings,
            straight.store,
            exchange="binance",
            kind="spot",
            run_id="r",
            clock=SystemClock(),
        )
        collector = Collector(settings, straight.store, instruments=("BTCUSDT", "ETHUSDT"))
        totals = collector.collect(
            lambda now: now.trades >= 300 and now.holes_opened == now.holes_closed >= 1,
            sink=BothSinks(sink_of(*topic.sets), collector.sink()),
        )
    # what REST answers goes to bronze by either way
    for key in straight.store.names("bronze/"):
        if "~live~" not in key:
            by_topic.store.create(key, straight.store.read(key) or b"")

    counts = Landed()
    bring(by_topic, counts, every_seconds=None, stopping=Event())

    assert (counts.records, counts.quarantined) == (totals.messages, 0)
    for name in ("BTCUSDT", "ETHUSDT"):
        assert live_ids(by_topic.store, name) == live_ids(straight.store, name)
        assert claimed(by_topic.store, name) == claimed(straight.store, name)
        ids = all_ids(by_topic.store, name)
        assert ids == whole(ids) == claimed(by_topic.store, name)
    for context in (straight, by_topic):
        instruments.consume(context)
        silver.consume(context, "trades")
    assert trades_of(by_topic) == trades_of(straight)
    assert len(trades_of(by_topic)) >= 300
    assert ledger_of(by_topic) == ledger_of(straight)
    assert next(iter(examine(by_topic))).endswith("0 corrupt")


def trades_of(context: Context) -> list[dict[str, Any]]:
    rows = [
        {name: value for name, value in row.items() if name not in ITS_OWN}
        for row in held(context, SILVER_TRADES)
    ]
    return sorted(rows, key=lambda row: (row["instrument"], row["trade_seq"]))


def ledger_of(context: Context) -> list[tuple[Any, ...]]:
    return sorted(
        (row["instrument"], row["entry"], row["first_id"], row["last_id"])
        for row in held(context, OPS_CONTINUITY)
    )
