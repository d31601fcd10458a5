"""deploy/aws/landing.yaml: its command lands a real topic in a real S3, within its rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lake.objects import open_store
from tests.aws.permissions import refused, unasked
from tests.aws.requests_of_s3 import recorded
from tests.aws.templates import ROOT, Template, statements
from tests.aws.test_services import container, wait_for_files
from tests.kafka.broker import Broker, Topic
from tests.kafka.test_kafka_sink import sink_of
from tests.live.test_live_topic_records import batch_of_all_sorts
from tests.s3.real_server import S3Server, new_bucket, require, service
from tests.s3.test_delta_on_s3 import front_door

pytestmark = [pytest.mark.spark, pytest.mark.slow]

#: What nothing that went well asks for: a file of the checkpoint that could not be finished.
WHERE_SOMETHING_FAILS = {"s3:AbortMultipartUpload"}
WAIT_SECONDS = 120


@pytest.fixture(scope="module")
def topic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topic]:
    broker = Broker(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker.topic()
    broker.stop()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    # as the image has them
    require(front_door("for jars in jars jars-s3 jars-kafka; do fetch_jars $jars; done"))
    folder = tmp_path / "s3"
    running = S3Server(require(service("start", str(folder))), folder)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    yield running
    running.stop()


def started(told: dict[str, Any], topic: Topic, endpoint: str, conf: Path) -> subprocess.Popen[str]:
    """Start the container's command with its environment, short of patience and memory of batches.

    Spark keeps what it knows of a hundred batches: of three here, so that it removes some.
    """
    conf.mkdir()
    kept = "spark.sql.streaming.minBatchesToRetain 3\n"
    (conf / "spark-defaults.conf").write_text(kept, encoding="ascii")
    program, *words = told["Command"]
    assert program == "python"
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env={
            **os.environ,
            **{one["Name"]: one["Value"] for one in told["Environment"]},
            "AWS_ENDPOINT_URL": endpoint,
            "CANDLELAKE_KAFKA__TOPIC": topic.name,
            "CANDLELAKE_KAFKA__INTERVAL_SECONDS": "1",
            "CANDLELAKE_KAFKA__RECORDS_PER_BATCH": "2",
            "PYTHONPATH": str(ROOT),
            "SPARK_CONF_DIR": str(conf),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_task_lands_the_topic_with_its_roles_rights_and_ends_when_it_is_told(
    topic: Topic, server: S3Server, tmp_path: Path
) -> None:
    root = f"s3a://{new_bucket()}/lake"
    store = open_store(root)
    bucket, _, prefix = root.removeprefix("s3a://").partition("/")
    given = {"LakeBucket": bucket, "LakePrefix": prefix, "KafkaServers": topic.broker.servers}
    template = Template("landing", given)
    told = container(template)
    sink_of(*topic.sets).land(batch_of_all_sorts())

    with recorded(server.endpoint) as (endpoint, calls):
        running = started(told, topic, endpoint, tmp_path / "conf")
        try:
            wait_for_files(running, store, "trades", seconds=WAIT_SECONDS)
            topic.send(b"junk of somebody else")
            wait_for_files(running, store, "quarantine", seconds=WAIT_SECONDS)
            running.terminate()
            printed, said = running.communicate(timeout=told["StopTimeout"])
        finally:
            running.kill()

    assert running.returncode == 0, said[-3000:]
    assert "quarantined=1" in printed, printed
    # given back: the next task need not wait until it has run out
    assert store.read(f"leases/topic.{topic.name}.json") == b"{}"
    allowed = statements(template)["Role"]
    assert refused(allowed, calls) == []
    assert unasked(allowed, calls) == WHERE_SOMETHING_FAILS
