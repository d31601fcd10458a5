"""Services of ECS: the containers' commands as their templates say, within their roles' rights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lake.bronze import parse_name
from lake.objects import ObjectStore, open_store
from lake.run import claim
from lake.s3 import open_client
from tests.aws.permissions import calls_in, refused, unasked
from tests.aws.templates import GIVEN, REGION, ROOT, Template, statements
from tests.queues.sqs_server import NOBODYS, server

pytestmark = pytest.mark.slow

BUCKET = str(GIVEN["LakeBucket"])


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("moto.sh", tmp_path_factory.mktemp("moto")) as address:
        yield address


@pytest.fixture(autouse=True)
def here(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**NOBODYS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    open_client().create_bucket(Bucket=BUCKET)


def started(template: Template, calls: Path, **options: str) -> subprocess.Popen[str]:
    """Start a service's container, with some words of it put in the place of others."""
    told = container(template)
    words = list(told["Command"])
    more = []
    for option, value in {"--env": "replay", **options}.items():
        if option in words:
            words[words.index(option) + 1] = value
        else:
            more += [option, value]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.aws.recorder", str(calls), *words, *more],
        cwd=ROOT,
        env={**os.environ, **{one["Name"]: one["Value"] for one in told["Environment"]}},
        stderr=subprocess.PIPE,
        text=True,
    )


def container(template: Template) -> dict[str, Any]:
    (task,) = template.of_type("ECS::TaskDefinition").values()
    (found,) = task["ContainerDefinitions"]
    return dict(found)


def test_a_collector_lands_with_its_roles_rights(tmp_path: Path) -> None:
    template = Template("collector", {"LakePrefix": "of-collectors"})
    which = {"--kind": "spot", "--instruments": "BTCUSDT", "--metrics-port": "0"}
    calls = tmp_path / "calls"

    done = started(template, calls, **{"--lifetime": "3s", "--overlap": "1s", **which})
    said = done.communicate(timeout=120)[1]

    assert done.returncode == 0, said
    allowed = statements(template)["Role"]
    assert refused(allowed, calls_in(calls)) == []
    # it removes what dead ones said of themselves
    assert unasked(allowed, calls_in(calls)) <= {"s3:DeleteObject"}


def test_the_minute_service_lands_with_its_roles_rights_and_ends_when_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = Template("minute", {"LakePrefix": "of-minutes"})
    monkeypatch.setenv("CANDLELAKE_MINUTE__BARS", "deribit/future/BTC-PERPETUAL")
    calls = tmp_path / "calls"

    store = open_store(f"s3a://{BUCKET}/of-minutes")
    claim(store, "replay")
    polling = started(template, calls)
    try:
        wait_for_files(polling, store, "index_prices", "klines")
        polling.terminate()
        said = polling.communicate(timeout=container(template)["StopTimeout"])[1]
    finally:
        polling.kill()

    assert polling.returncode == -signal.SIGTERM, said
    tags = [parse_name(key).tag for key in store.names("bronze/index_prices/")]
    assert {one.partition("-")[2] for one in tags} == {REGION}
    allowed = statements(template)["Role"]
    assert refused(allowed, calls_in(calls)) == []
    assert unasked(allowed, calls_in(calls)) == set()


def wait_for_files(
    running: subprocess.Popen[str], store: ObjectStore, *datasets: str, seconds: float = 60
) -> None:
    give_up = time.monotonic() + seconds
    while not all(any(True for _ in store.names(f"bronze/{one}/")) for one in datasets):
        assert running.poll() is None, (running.communicate()[1] or "")[-3000:]
        assert time.monotonic() < give_up
        time.sleep(0.2)
