"""Queues of SQS as the tests handle them: a fake client, one message, and one lake's equipment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import EndpointConnectionError

from extract.client import Client
from extract.coverage import Missing
from extract.history.message import Message
from extract.host import Hosts
from extract.queues.handling import Equipment
from extract.queues.sqs import Queue
from extract.replay.exchange import ReplayExchange
from lake.objects import FolderStore
from lake.settings import load_settings
from tests.extract.tape_server import CLOCK_MS
from tests.queues.on_queue import ETHUSDT_IDS

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

URL, DEAD_LETTER_URL = "the-queue", "the-dead-letter-queue"
GOOD = Message(
    exchange="binance",
    kind="spot",
    dataset="agg_trades",
    instrument="ETHUSDT",
    mode="start",
    run_id="r",
    missing=Missing(ETHUSDT_IDS[0], ETHUSDT_IDS[0] + 1999),
    chunk=1_692_296,
    chunk_limit=1000,
    stride=1,
    venue_clock_ms=CLOCK_MS,
)


@dataclass
class FakeSqs:
    """A client of SQS that keeps what it is given."""

    is_lost: bool = False
    is_full: bool = False
    bodies: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    postponed: list[tuple[str, int]] = field(default_factory=list)

    def queue(self) -> Queue:
        return Queue(cast("SQSClient", self), URL, DEAD_LETTER_URL)

    def send_message_batch(self, **asked: Any) -> dict[str, Any]:
        self._require()
        assert asked["QueueUrl"] == URL
        assert 1 <= len(asked["Entries"]) <= 10
        if self.is_full:
            return {"Failed": [{"Code": "OverLimit"} for _ in asked["Entries"]]}
        self.bodies += [one["MessageBody"] for one in asked["Entries"]]
        return {"Successful": asked["Entries"]}

    def send_message(self, **asked: Any) -> dict[str, Any]:
        self._require()
        assert asked["QueueUrl"] == DEAD_LETTER_URL
        self.dead.append(asked["MessageBody"])
        self.reasons.append(asked["MessageAttributes"]["reason"]["StringValue"])
        return {}

    def change_message_visibility(self, **asked: Any) -> None:
        self._require()
        self.postponed.append((asked["ReceiptHandle"], asked["VisibilityTimeout"]))

    def _require(self) -> None:
        if self.is_lost:
            raise EndpointConnectionError(endpoint_url=URL)


def equipment(exchange: ReplayExchange, root: Path, *sets: str) -> Equipment:
    """Return what works messages off against a replay exchange, with small chunks."""
    addresses = [f"{path}={url}" for path, url in exchange.urls.settings().items()]
    small = ["extract.chunk_limit=1000", "extract.attempts=1", "workers.deliveries=3"]
    settings = load_settings("replay", [*addresses, *small, *sets], environ={})
    return Equipment(settings, FolderStore(root), Client(settings, hosts=Hosts()))


def record(name: str, message: Message | str, deliveries: int = 1) -> dict[str, Any]:
    """Return a message as a function is given it."""
    return {
        "messageId": name,
        "receiptHandle": f"handle of {name}",
        "body": message if isinstance(message, str) else message.to_json(),
        "attributes": {"ApproximateReceiveCount": str(deliveries)},
    }
