"""The topic as a stream: batch after batch to bronze, from where the last one ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from threading import Event

from pyspark.sql import DataFrame

from extract.live.topic_records import IDS, INTERVAL, TIMES
from jobs.context import Context
from jobs.streams import follow
from jobs.topic_faults import EndedAfterCommitError, explained
from jobs.topic_landing import LANDED, TopicLanding
from lake.bronze import QUARANTINE
from lake.kafka import consumer_options

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Landed:
    """What a run has brought to bronze."""

    batches: int = 0
    records: int = 0
    files: int = 0
    quarantined: int = 0

    def __str__(self) -> str:
        return (
            f"batches={self.batches} records={self.records} files={self.files}"
            f" quarantined={self.quarantined}"
        )


def bring(
    context: Context, landed: Landed, *, every_seconds: float | None, stopping: Event
) -> None:
    """Land the topic's records: what is there now, or every so many seconds until told to stop.

    Args:
        context: of the run.
        landed: is told what has landed.
        every_seconds: None for what is there now.
        stopping: ends it between two batches.

    Raises:
        StorageError: the brokers can't be reached, the topic has lost records that were not read,
            or the store refuses.
        SettingsError: the settings don't say how the brokers are reached.
    """
    _follow(context, landed, None, stopping)
    if every_seconds is not None and not stopping.is_set():
        # what waited is there: a trigger would bring no more than a batch of it at a time
        _follow(context, landed, every_seconds, stopping)


def _follow(context: Context, landed: Landed, every_seconds: float | None, stopping: Event) -> None:
    def land(batch: DataFrame, number: int) -> None:
        land_batch(context, batch, number, landed)

    name = checkpoint_name(context.settings.kafka.topic)
    is_over = False
    while not is_over and not stopping.is_set():
        try:
            follow(
                context,
                name,
                topic_records(context),
                land,
                every_seconds=every_seconds,
                stopping=stopping,
                explained=explained,
            )
            is_over = True
        except EndedAfterCommitError as ended:
            log.info("%s: it is started again", ended)


def checkpoint_name(topic: str) -> str:
    """Return the name of the stream's checkpoint and lease."""
    return f"topic.{topic}"


def topic_records(context: Context) -> DataFrame:
    """Return the topic as a stream; of transactions only what was committed."""
    settings = context.settings.kafka
    # a broker that is away is told of sooner than by Java's own minutes
    patience = {"request.timeout.ms": 10_000, "default.api.timeout.ms": 20_000}
    reader = context.spark.readStream.format("kafka").options(
        subscribe=settings.topic,
        startingOffsets="earliest",
        includeHeaders="true",
        failOnDataLoss="true",
        maxOffsetsPerTrigger=str(settings.records_per_batch),
    )
    for option, value in {**patience, **consumer_options(settings)}.items():
        reader = reader.option(f"kafka.{option}", value)
    stream = reader.option("kafka.isolation.level", "read_committed").load()
    sent = [
        f"try_element_at(filter(headers, one -> one.key = '{name}'), 1).value AS {name}"
        for name in (IDS, TIMES, INTERVAL)
    ]
    whole = ("partition", "offset", "timestamp", "key", "value", "headers")
    return stream.selectExpr(*whole, *sent)


def land_batch(context: Context, batch: DataFrame, number: int, landed: Landed) -> None:
    """Land one batch; the same batch again finds its files there."""
    settings = context.settings
    landing = TopicLanding(
        context.store.location(""), settings.kafka.topic, settings.live.store_patience_seconds
    )
    shares = batch.mapInArrow(landing, LANDED).collect()
    landed.batches += 1
    for share in shares:
        landed.records += share["records"]
        landed.files += share["files"]
        landed.quarantined += share["junk"]
        if share["junk"]:
            log.warning(
                "%d records of partition %d can't be read, offsets %d to %d: they are kept in %s",
                share["junk"],
                share["partition"],
                share["first_offset"],
                share["last_offset"],
                f"{QUARANTINE}{settings.kafka.topic}/",
            )
    log.info("landed topic=%s batch=%d %s", settings.kafka.topic, number, landed)
