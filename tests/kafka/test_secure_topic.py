"""A broker that wants TLS and a password: both clients reach it with the same settings."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from pyspark.sql import SparkSession

from extract.live.kafka_sink import KafkaSink
from jobs.context import Context
from jobs.topic_stream import Landed, bring
from lake.clock import SystemClock
from lake.errors import StorageError
from lake.objects import open_store
from lake.settings import Settings, load_settings
from lake.storage import Tables
from tests.kafka.broker import Broker
from tests.live.test_live_topic_records import batch_of_all_sorts

pytestmark = [pytest.mark.spark, pytest.mark.slow]
PASSWORD = "not to be seen"
PROPERTIES = """
listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
username="broker" password="its own" user_broker="its own" user_collector="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/certificate.pem
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine, made for the test."""
    made = tmp_path_factory.mktemp("secure")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(made / "key.pem"), "-out", str(made / "certificate.pem")]
    subprocess.run(words, check=True, capture_output=True)
    both = (made / "key.pem").read_text() + (made / "certificate.pem").read_text()
    (made / "broker.pem").write_text(both)
    properties = PROPERTIES.format(folder=made, password=PASSWORD)
    (made / "more.properties").write_text(properties)
    return made


@pytest.fixture(scope="module")
def secured(folder: Path) -> Iterator[Broker]:
    running = Broker(folder)
    running.start()
    yield running
    running.stop()


def settings_with(password: str, broker: Broker, *sets: str) -> Settings:
    named = (
        f"kafka.servers={broker.servers}",
        "kafka.security_protocol=SASL_SSL",
        "kafka.sasl_mechanism=PLAIN",
        "kafka.username=collector",
        f"kafka.ca_file={broker.folder / 'certificate.pem'}",
    )
    environment = {"CANDLELAKE_KAFKA__PASSWORD": password}
    return load_settings("replay", [*named, *sets], environ=environment)


def sink(settings: Settings, patience_seconds: float) -> KafkaSink:
    return KafkaSink(
        settings.kafka, SystemClock(), region="", run_id="r", patience_seconds=patience_seconds
    )


def test_frames_go_through_tls_and_a_password_to_bronze(
    secured: Broker, spark: SparkSession, tmp_path: Path
) -> None:
    settings = settings_with(PASSWORD, secured, f"lake.root={tmp_path / 'lake'}")
    batch = batch_of_all_sorts()

    sink(settings, 30).land(batch)

    store = open_store(settings.lake.root)
    context = Context(settings, store, SystemClock(), "run", spark, Tables(spark, store))
    counts = Landed()
    bring(context, counts, every_seconds=None, stopping=Event())
    assert (counts.records, counts.quarantined) == (batch.messages, 0)


def test_a_wrong_password_is_told_and_not_shown(secured: Broker) -> None:
    settings = settings_with("a wrong one", secured)

    with pytest.raises(StorageError) as refused:
        sink(settings, 1).land(batch_of_all_sorts())

    assert "Authentication failed" in str(refused.value)
    assert "a wrong one" not in str(refused.value)
