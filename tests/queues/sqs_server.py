"""Queues on a real SQS-compatible server: made, filled, and looked into."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import boto3
import pytest

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SERVICES = Path(__file__).parents[2] / "deploy" / "services"
REGION = "us-east-1"
#: No server of these tests looks at credentials; boto3 wants some.
NOBODYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION}


@dataclass(frozen=True)
class Queues:
    """A queue, and where its dead letters go."""

    client: SQSClient
    endpoint: str
    url: str
    dead_letter_url: str

    @property
    def environment(self) -> dict[str, str]:
        """What a process that uses the queues needs of its environment."""
        return {
            **NOBODYS,
            "AWS_ENDPOINT_URL": self.endpoint,
            "CANDLELAKE_WORKERS__QUEUE_URL": self.url,
            "CANDLELAKE_WORKERS__DEAD_LETTER_URL": self.dead_letter_url,
        }

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def waiting(self) -> int:
        """Return how many messages are in the queue, those that are being worked on included."""
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        visible = int(found["Attributes"]["ApproximateNumberOfMessages"])
        return visible + int(found["Attributes"]["ApproximateNumberOfMessagesNotVisible"])

    def dead(self) -> dict[str, str]:
        """Return the dead letters, each with its reason; they stay where they are."""
        answer = self.client.receive_message(
            QueueUrl=self.dead_letter_url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        return {
            one["Body"]: one["MessageAttributes"]["reason"]["StringValue"]
            for one in answer.get("Messages", [])
        }


@contextmanager
def server(script: str, folder: Path) -> Iterator[str]:
    """Run a service of the project; where that can't be, the test is skipped, and fails in CI."""
    done = service(script, "start", str(folder))
    if done.returncode != 0:
        said = done.stderr.strip() or "it said nothing"
        reason = f"{script} can't be run here: {said.splitlines()[-1]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    try:
        yield done.stdout.strip()
    finally:
        service(script, "stop", str(folder))


def service(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SERVICES / script), *words], capture_output=True, text=True, check=False, timeout=900
    )


def new_queues(endpoint: str, visibility_seconds: int, receives: int) -> Queues:
    """Make a queue whose messages go to a second one after so many receives."""
    client = boto3.Session().client(
        "sqs",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    name = f"candlelake-{uuid4().hex[:8]}"
    dead = client.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    found = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": found["Attributes"]["QueueArn"],
        "maxReceiveCount": receives,
    }
    made = client.create_queue(
        QueueName=name,
        Attributes={
            "VisibilityTimeout": str(visibility_seconds),
            "RedrivePolicy": json.dumps(redrive),
        },
    )
    return Queues(client, endpoint, made["QueueUrl"], dead)
