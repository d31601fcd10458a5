"""Sends batches to a topic of Kafka, each in one transaction: whole, or not there for readers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from extract.live.batch import Batch
from extract.live.lines import Stamp
from extract.live.packs import Pack, tag_of
from extract.live.patience import Patience
from extract.live.topic_records import Record, records_of
from lake.clock import Clock
from lake.errors import SettingsError, StorageError
from lake.kafka import producer_options
from lake.setting_sections import Kafka

log = logging.getLogger(__name__)

#: A sender that begins waits no longer than this for the brokers before it tells that they refuse.
BEGIN_SECONDS = 5.0
#: So many records wait to be sent at most, in librdkafka's own queue.
QUEUED = 200_000
#: librdkafka sends while records are produced; it is asked so often whether it has news.
RECORDS_AT_A_TIME = 1_000
#: Of a record before it is packed: a frame has 32 MiB at most, and its envelope escapes some of it.
#: Brokers count what is packed, 1 MiB unless the topic says otherwise.
LARGEST_RECORD_BYTES = 64 << 20


class KafkaSink:
    """Sends batches as records of a topic.

    Args:
        settings: the topic, and how its brokers are reached.
        clock: the process's clock.
        region: where this process runs.
        run_id: kept in each envelope; with the region it names the sender.
        patience_seconds: how long the brokers may refuse before a batch is given up.

    Raises:
        SettingsError: no broker is named, a password is missing, or a client's option is wrong.
    """

    def __init__(
        self,
        settings: Kafka,
        clock: Clock,
        *,
        region: str,
        run_id: str,
        patience_seconds: float,
    ) -> None:
        self._topic = settings.topic
        self._servers = settings.servers
        self._clock = clock
        self._region = region
        self._run_id = run_id
        self._patience = Patience(patience_seconds, clock)
        self._options = self._client_options(settings)
        self._begun = False
        #: what the client said last of the brokers, in its own words
        self._said = ""
        try:
            self._producer: Producer | None = Producer(self._options)
        except (KafkaException, TypeError, ValueError) as error:
            raise SettingsError(
                f"the client of Kafka refuses its options: {_words(error)}", where="kafka"
            ) from error

    def hurry(self, seconds: float) -> None:
        """Have patience for no more than `seconds` from now on."""
        self._patience.hurry(seconds)

    def land(self, batch: Batch) -> Sequence[Pack]:
        """Send a batch in one transaction; no bronze file comes of it here.

        Raises:
            StorageError: the brokers refused for too long. Readers see the batch whole, or not.
        """
        records = list(records_of(batch, self._stamp()))
        self._patience.until_done(lambda: self._send(records))
        log.debug("sent topic=%s records=%d", self._topic, len(records))
        return ()

    def _stamp(self) -> Stamp:
        return Stamp(self._region, self._run_id, self._clock.now())

    def _client_options(self, settings: Kafka) -> dict[str, Any]:
        """Return all options; a user may change how fast it is, not what it promises."""
        name = f"candlelake-{tag_of(self._stamp())}"
        return {
            "client.id": name,
            "compression.type": "zstd",
            "linger.ms": 20,
            "message.max.bytes": LARGEST_RECORD_BYTES,
            **producer_options(settings),
            "transactional.id": name,
            "transaction.timeout.ms": settings.transaction_seconds * 1000,
            "enable.idempotence": True,
            "acks": "all",
            "queue.buffering.max.messages": QUEUED,
            "logger": log,
            "error_cb": self._hear,
        }

    def _hear(self, error: KafkaError) -> None:
        """Keep the reason; that no broker is left says none."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the client's own name
            self._said = error.str()

    def _send(self, records: Sequence[Record]) -> None:
        try:
            producer = self._ready()
            producer.begin_transaction()
            self._produce(producer, records)
            self._patience.until_done(lambda: self._commit(producer))
        except (KafkaException, BufferError) as error:
            if self._producer is not None:
                self._producer.poll(0)
            # a sender of the same name begins anew: the brokers end what this one began
            self._producer = None
            raise self._refused(error) from error

    def _commit(self, producer: Producer) -> None:
        """Commit; where the client says so the same commit may be asked for again."""
        try:
            # librdkafka advises to give no time: it has as long as the transaction may take
            producer.commit_transaction()
        except KafkaException as error:
            if error.args[0].retriable():
                raise self._refused(error) from error
            raise

    def _ready(self) -> Producer:
        """Return a client that has begun; beginning ends what one of its name left open."""
        if self._producer is None:
            self._producer, self._begun = Producer(self._options), False
        if not self._begun:
            self._producer.init_transactions(BEGIN_SECONDS)
            self._begun, self._said = True, ""
        return self._producer

    def _produce(self, producer: Producer, records: Sequence[Record]) -> None:
        waiting = iter(records)
        while some := list(islice(waiting, RECORDS_AT_A_TIME)):
            while len(producer) > QUEUED - RECORDS_AT_A_TIME:
                producer.poll(0.1)
            for key, value, headers in some:
                producer.produce(self._topic, value, key, headers=headers)
            producer.poll(0)

    def _refused(self, error: Exception) -> StorageError:
        said = f" ({self._said})" if self._said else ""
        return StorageError(
            f"the brokers take nothing: {_words(error)}{said}",
            where=f"{self._topic} at {self._servers}",
            hint="See whether the brokers run, and whether kafka's settings are right.",
        )


def _words(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return cause.str() if isinstance(cause, KafkaError) else str(cause)
