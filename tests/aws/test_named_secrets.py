"""A setting that names a secret gets it from AWS Secrets Manager: over HTTP, from moto's server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from lake.errors import SettingsError
from lake.named_secrets import _read, named_secret
from lake.settings import Settings, load_settings
from tests.aws.permissions import action_of, allows, calls_in
from tests.aws.templates import ROOT, Template, statements
from tests.queues.sqs_server import NOBODYS, server

pytestmark = pytest.mark.slow

DATABASE, BROKERS = "candlelake/database", "AmazonMSK_candlelake"
PLANTED = "pl4nted"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("moto.sh", tmp_path_factory.mktemp("moto")) as address:
        session: Any = boto3.Session("x", "x", region_name=NOBODYS["AWS_REGION"])
        client = session.client("secretsmanager", endpoint_url=address)
        client.create_secret(Name=DATABASE, SecretString=f"{PLANTED}-database")
        brokers = {"username": "collector", "password": f"{PLANTED}-brokers", "port": 9096}
        client.create_secret(Name=BROKERS, SecretString=json.dumps(brokers))
        client.create_secret(Name="binary", SecretBinary=b"x")
        yield address


@pytest.fixture(autouse=True)
def here(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _read.cache_clear()
    for name, value in {**NOBODYS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)


def loaded(**variables: str) -> Settings:
    return load_settings("local", environ={f"CANDLELAKE_{k}": v for k, v in variables.items()})


def test_a_whole_secret_and_a_field_of_one_are_read_by_their_names() -> None:
    settings = loaded(
        SERVE__DATABASE_PASSWORD=f"aws-secret:{DATABASE}",
        KAFKA__PASSWORD=f"aws-secret:{BROKERS}#password",
        EXCHANGES__BINANCE__USDM__API_KEY="given-itself",
    )

    found = (
        settings.serve.database_password,
        settings.kafka.password,
        settings.exchanges.binance.usdm.api_key,
    )
    assert [one.get_secret_value() for one in found if one] == [
        f"{PLANTED}-database",
        f"{PLANTED}-brokers",
        "given-itself",
    ]
    assert PLANTED not in repr(settings) + settings.model_dump_json()


def test_a_file_of_settings_may_name_a_secret(tmp_path: Path) -> None:
    for file in (ROOT / "conf").glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        own = f'\n[serve]\ndatabase_password = "aws-secret:{DATABASE}"\n'
        (tmp_path / file.name).write_text(text + own * (file.stem == "local"), encoding="utf-8")

    password = load_settings("local", conf=tmp_path, environ={}).serve.database_password

    assert password
    assert password.get_secret_value() == f"{PLANTED}-database"


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("nothing-of-this-name", "ResourceNotFoundException"),
        (f"{BROKERS}#passwort", "it has no field 'passwort'"),
        (f"{BROKERS}#port", "its field 'port' is no text"),
        (f"{DATABASE}#password", "it has no field 'password'"),
        ("binary", "it is binary"),
    ],
)
def test_a_secret_that_cannot_be_read_is_told_without_what_it_holds(named: str, why: str) -> None:
    with pytest.raises(SettingsError) as raised:
        named_secret(f"aws-secret:{named}", "kafka.password")

    assert why in str(raised.value)
    assert "[kafka.password]" in str(raised.value)
    assert PLANTED not in str(raised.value)
    assert raised.value.__cause__ is None or PLANTED not in str(raised.value.__cause__)


def test_nobody_there_and_no_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)

    with pytest.raises(SettingsError, match=r"NoCredentialsError.*Give the process a role"):
        named_secret(f"aws-secret:{DATABASE}", "serve.database_password")


def test_a_collectors_role_may_read_its_secret_and_no_other(endpoint: str, tmp_path: Path) -> None:
    session: Any = boto3.Session("x", "x", region_name=NOBODYS["AWS_REGION"])
    client = session.client("secretsmanager", endpoint_url=endpoint)
    arn = client.describe_secret(SecretId=BROKERS)["ARN"]
    parameters = {"KafkaSecretArn": arn, "KafkaServers": "127.0.0.1:9"}
    (task,) = Template("collector", parameters).of_type("ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    given = {one["Name"]: one["Value"] for one in container["Environment"]}
    calls = tmp_path / "calls"

    done = subprocess.run(
        [sys.executable, "-m", "tests.aws.recorder", str(calls), "candlelake", "doctor"],
        cwd=ROOT,
        env={**os.environ, **given, "CANDLELAKE_LAKE__ROOT": str(tmp_path / "lake")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert PLANTED not in done.stdout + done.stderr
    (call,) = calls_in(calls)
    assert action_of(call) == "secretsmanager:GetSecretValue"
    allowed = statements(Template("cluster", parameters))["ReadsSecret"]
    assert allows(allowed, call)
    assert not allows(allowed, {**call, "SecretId": arn.replace(BROKERS, DATABASE)})
