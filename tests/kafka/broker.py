"""A real broker, started by the project's own script, and what lies in its topics."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

SCRIPT = Path(__file__).parents[2] / "deploy" / "services" / "kafka.sh"
WAIT_SECONDS = 60


@dataclass
class Broker:
    """A broker of a folder; started again it has the same address and topics."""

    folder: Path
    servers: str = ""

    def start(self) -> None:
        port = [self.servers.rpartition(":")[2]] if self.servers else []
        done = self._run("start", str(self.folder), *port)
        if done.returncode != 0:
            reason = f"no Kafka broker can be run here: {done.stderr.strip()[-300:]}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        self.servers = done.stdout.strip()

    def stop(self) -> None:
        self._run("stop", str(self.folder))

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def topic(self, partitions: int = 2) -> Topic:
        """Make a topic of its own for a test."""
        name = f"candlelake.{uuid4().hex[:8]}"
        admin = self.admin()
        made = admin.create_topics([NewTopic(name, partitions, 1)])
        made[name].result(WAIT_SECONDS)
        return Topic(self, name, partitions)

    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers})


@dataclass
class Topic:
    """A topic of a broker."""

    broker: Broker
    name: str
    partitions: int

    @property
    def sets(self) -> list[str]:
        """The settings that name it."""
        return [f"kafka.servers={self.broker.servers}", f"kafka.topic={self.name}"]

    def messages(self) -> Iterator[Message]:
        """Yield what readers of committed transactions see, partition after partition."""
        options = {
            "bootstrap.servers": self.broker.servers,
            "group.id": uuid4().hex,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
        for partition in range(self.partitions):
            consumer = Consumer(options)
            consumer.assign([TopicPartition(self.name, partition, 0)])
            while True:
                message = consumer.poll(WAIT_SECONDS)
                assert message is not None
                if message.error():
                    break
                yield message
            consumer.close()

    def envelopes(self) -> list[dict[str, Any]]:
        return [json.loads(message.value() or b"") for message in self.messages()]

    def ids(self) -> list[int]:
        """Return the ids of the rows in the headers, in the order of each partition."""
        headers = [dict(message.headers() or []) for message in self.messages()]
        texts = [found["ids"] for found in headers if "ids" in found]
        return [int(one) for text in texts if isinstance(text, bytes) for one in text.split(b",")]

    def send(self, *values: bytes | None, partition: int = 0, **more: Any) -> None:
        """Send records as a foreign producer does."""
        producer = Producer({"bootstrap.servers": self.broker.servers})
        for value in values:
            producer.produce(self.name, value, partition=partition, **more)
        assert producer.flush(WAIT_SECONDS) == 0

    def cut(self) -> None:
        """Delete all records, as retention does."""
        ends = [TopicPartition(self.name, one, -1) for one in range(self.partitions)]
        admin = self.broker.admin()
        for cut in admin.delete_records(ends).values():
            cut.result(WAIT_SECONDS)
