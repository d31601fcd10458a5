"""A queue of SQS and its dead-letter queue, as the functions and the poller use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from extract.history.message import Message
from lake.errors import QueueError, UsageError
from lake.s3 import region
from lake.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: What SQS takes in one request.
BATCH = 10
#: A reason is for people; the message itself has to fit beside it.
LONGEST_REASON = 1000
HINT = "Check workers.queue_url, workers.dead_letter_url, AWS_ENDPOINT_URL and the credentials."

Record = dict[str, Any]


class Queue:
    """Messages that wait for a worker, and those that no worker can work on.

    Every method raises a QueueError where SQS can't be asked or refuses.
    """

    def __init__(self, client: SQSClient, url: str, dead_letter_url: str) -> None:
        self._client = client
        self._url = url
        self._dead_letter_url = dead_letter_url

    @classmethod
    def of(cls, settings: Settings) -> Queue:
        """Return the queue of the settings; address and credentials are found by boto3's chain.

        Raises:
            UsageError: the settings name no queue, or no dead-letter queue.
        """
        workers = settings.workers
        if not workers.queue_url or not workers.dead_letter_url:
            raise UsageError("SQS wants workers.queue_url and workers.dead_letter_url")
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 4, "mode": "standard"},
        )
        with _asking("opened", workers.queue_url):
            client = boto3.Session().client("sqs", region_name=region(), config=config)
        return cls(client, workers.queue_url, workers.dead_letter_url)

    def send(self, messages: Sequence[Message]) -> None:
        """Put messages into the queue."""
        bodies = [message.to_json() for message in messages]
        for first in range(0, len(bodies), BATCH):
            batch = enumerate(bodies[first : first + BATCH])
            with _asking("sent to", self._url):
                answer = self._client.send_message_batch(
                    QueueUrl=self._url,
                    Entries=[{"Id": str(place), "MessageBody": body} for place, body in batch],
                )
            if refused := answer.get("Failed"):
                raise QueueError(
                    f"{len(refused)} messages were refused: {refused[0]['Code']}", where=self._url
                )

    def bury(self, text: str, reason: str) -> None:
        """Put a message into the dead-letter queue, with its reason as attribute `reason`."""
        said = "".join(one if one.isprintable() else " " for one in reason)[:LONGEST_REASON]
        with _asking("sent to", self._dead_letter_url):
            self._client.send_message(
                QueueUrl=self._dead_letter_url,
                MessageBody=text,
                MessageAttributes={"reason": {"DataType": "String", "StringValue": said}},
            )

    def receive(self, wait_seconds: int) -> list[Record]:
        """Return a message, in the form in which a function is given it, or none.

        One alone: from now on it is invisible to others, and several would wait for each other.
        """
        with _asking("received from", self._url):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=1,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            )
        return records(answer)

    def delete(self, record: Record) -> None:
        """Take a message that is done out of the queue."""
        with _asking("deleted from", self._url):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=record["receiptHandle"])

    def postpone(self, record: Record, seconds: int) -> None:
        """Let a message be delivered again after `seconds`."""
        with _asking("postponed in", self._url):
            self._client.change_message_visibility(
                QueueUrl=self._url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=seconds,
            )


def records(answer: Mapping[str, Any]) -> list[Record]:
    """Return the messages of an answer of SQS in the form in which a function is given them."""
    return [
        {
            "messageId": one["MessageId"],
            "receiptHandle": one["ReceiptHandle"],
            "body": one["Body"],
            "attributes": one["Attributes"],
        }
        for one in answer.get("Messages", [])
    ]


@contextmanager
def _asking(done: str, url: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError, ValueError) as error:
        raise QueueError(f"a queue could not be {done}: {error}", where=url, hint=HINT) from error
