"""Services of ECS: the containers' commands as their templates say, within their roles' rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lake.s3 import open_client
from tests.aws.permissions import calls_in, refused, unasked
from tests.aws.templates import GIVEN, ROOT, Template, statements
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
