"""One set of settings reaches brokers in the words of both clients, and shows no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.errors import SettingsError
from lake.kafka import consumer_options, producer_options
from lake.setting_sections import Kafka
from lake.settings import load_settings

SECRETS = {
    "CANDLELAKE_KAFKA__PASSWORD": 'se"cr\\et',
    "CANDLELAKE_KAFKA__KEY_PASSWORD": "of the key",
}
SECURE = (
    "kafka.servers=a:1,b:2",
    "kafka.security_protocol=SASL_SSL",
    "kafka.username=collector",
)


def kafka(*sets: str) -> Kafka:
    return load_settings("replay", sets, environ=SECRETS).kafka


def test_without_security_the_brokers_are_all_that_is_said() -> None:
    settings = kafka("kafka.servers=a:1,b:2")

    plain = {"bootstrap.servers": "a:1,b:2", "security.protocol": "PLAINTEXT"}
    assert producer_options(settings) == plain
    assert consumer_options(settings) == plain


def test_librdkafka_is_told_names_passwords_and_files() -> None:
    settings = kafka(
        *SECURE,
        "kafka.ca_file=ca.pem",
        "kafka.certificate_file=our.pem",
        "kafka.key_file=our.key",
    )

    assert producer_options(settings) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "collector",
        "sasl.password": 'se"cr\\et',
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "our.pem",
        "ssl.key.location": "our.key",
        "ssl.key.password": "of the key",
    }


def test_java_is_told_the_same_and_certificates_as_text(tmp_path: Path) -> None:
    names = {"ca_file": "CA", "certificate_file": "CERTIFICATE", "key_file": "KEY"}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    settings = kafka(
        *SECURE,
        *(f"kafka.{name}={tmp_path / name}" for name in names),
        "kafka.sasl_mechanism=PLAIN",
    )

    assert consumer_options(settings) == {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required"
        ' username="collector" password="se\\"cr\\\\et";',
        "ssl.truststore.type": "PEM",
        "ssl.truststore.certificates": "CA",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.certificate.chain": "CERTIFICATE",
        "ssl.keystore.key": "KEY",
        "ssl.key.password": "of the key",
    }


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(SettingsError, match=r"kafka\.ca_file can't be read"):
        consumer_options(kafka(*SECURE, "kafka.ca_file=/not/there.pem"))


def test_what_the_clients_are_told_beside_stands_above_and_is_no_secret(tmp_path: Path) -> None:
    conf = Path(__file__).parents[2] / "conf"
    for name in ("base.toml", "replay.toml"):
        (tmp_path / name).write_text((conf / name).read_text())
    more = '\n[kafka.producer]\n"linger.ms" = 5\n[kafka.consumer]\n"fetch.max.bytes" = 9\n'
    with (tmp_path / "replay.toml").open("a") as file:
        file.write(more)
    settings = load_settings("replay", ["kafka.servers=a:1"], conf=tmp_path, environ={}).kafka

    assert producer_options(settings)["linger.ms"] == 5
    assert consumer_options(settings)["fetch.max.bytes"] == 9
    with (tmp_path / "replay.toml").open("a") as file:
        file.write('"ssl.truststore.password" = "x"\n')
    with pytest.raises(SettingsError, match=r"ssl\.truststore\.password is a secret"):
        load_settings("replay", [], conf=tmp_path, environ={})


def test_no_secret_is_shown() -> None:
    shown = f"{kafka(*SECURE)!r} {kafka(*SECURE).model_dump_json()}"

    assert "of the key" not in shown
    assert "cr" + "\\\\et" not in shown
