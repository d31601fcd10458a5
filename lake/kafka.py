"""How the brokers of a topic are reached, in librdkafka's words and in those of Java's client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lake.errors import SettingsError
from lake.setting_sections import Kafka

Options = Mapping[str, str | int | bool]


def producer_options(settings: Kafka) -> Options:
    """Return how librdkafka reaches the brokers, its own options on top.

    Raises:
        SettingsError: no broker is named, or a password is missing.
    """
    options: dict[str, str | int | bool] = {
        "bootstrap.servers": _servers(settings),
        "security.protocol": settings.security_protocol,
    }
    if _has_sasl(settings):
        options |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "sasl.username": settings.username,
            "sasl.password": _password(settings),
        }
    if _has_tls(settings):
        files = {
            "ssl.ca.location": settings.ca_file,
            "ssl.certificate.location": settings.certificate_file,
            "ssl.key.location": settings.key_file,
        }
        options |= {name: file for name, file in files.items() if file}
        if settings.key_password is not None:
            options["ssl.key.password"] = settings.key_password.get_secret_value()
    return {**options, **settings.producer}


def consumer_options(settings: Kafka) -> Options:
    """Return how Java's client reaches the brokers, its own options on top.

    Raises:
        SettingsError: as above, or a file of a certificate can't be read.
    """
    options: dict[str, str | int | bool] = {
        "bootstrap.servers": _servers(settings),
        "security.protocol": settings.security_protocol,
    }
    if _has_sasl(settings):
        options |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "sasl.jaas.config": _login(settings),
        }
    if _has_tls(settings):
        options |= _stores(settings)
    return {**options, **settings.consumer}


def _stores(settings: Kafka) -> dict[str, str]:
    """Return certificates as text: executors need no files."""
    options = {}
    if settings.ca_file:
        options["ssl.truststore.type"] = "PEM"
        options["ssl.truststore.certificates"] = _pem(settings.ca_file, "ca_file")
    if settings.certificate_file:
        options["ssl.keystore.type"] = "PEM"
        options["ssl.keystore.certificate.chain"] = _pem(
            settings.certificate_file, "certificate_file"
        )
        options["ssl.keystore.key"] = _pem(settings.key_file, "key_file")
    if settings.key_password is not None:
        options["ssl.key.password"] = settings.key_password.get_secret_value()
    return options


def _login(settings: Kafka) -> str:
    module = "plain.Plain" if settings.sasl_mechanism == "PLAIN" else "scram.Scram"
    name, password = (_quoted(one) for one in (settings.username, _password(settings)))
    return (
        f"org.apache.kafka.common.security.{module}LoginModule required"
        f" username={name} password={password};"
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _has_sasl(settings: Kafka) -> bool:
    return settings.security_protocol.startswith("SASL_")


def _has_tls(settings: Kafka) -> bool:
    return settings.security_protocol.endswith("SSL")


def _servers(settings: Kafka) -> str:
    if not settings.servers:
        raise SettingsError(
            "kafka.servers names no broker",
            hint="Name them: --set kafka.servers=host:9092, or CANDLELAKE_KAFKA__SERVERS.",
        )
    return settings.servers


def _password(settings: Kafka) -> str:
    if not settings.username or settings.password is None:
        raise SettingsError(
            f"kafka.security_protocol {settings.security_protocol} wants a name and a password",
            hint="Set kafka.username, and CANDLELAKE_KAFKA__PASSWORD in the environment.",
        )
    return settings.password.get_secret_value()


def _pem(file: str, setting: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise SettingsError(f"kafka.{setting} can't be read: {error}") from error
