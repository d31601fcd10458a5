"""The template of AWS Lambda, set up in a local AWS that executes its functions."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.objects import open_store
from tests.extract.asking import covered_ids
from tests.queues.conftest import ROOT, wait_for
from tests.queues.on_queue import ETHUSDT_IDS
from tests.queues.sqs_server import NOBODYS, REGION, Queues, server

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

PACKAGE = ROOT / "deploy" / "aws_lambda" / "package.sh"
TEMPLATE = ROOT / "deploy" / "aws" / "histories.yaml"
CODE, LAKE, ZIP = "code", "lake-of-functions", "code.zip"
STACK = "candlelake"
DERIBIT_KINDS = ("future", "option", "spot", "future_combo", "option_combo")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("ministack.sh", tmp_path_factory.mktemp("ministack")) as address:
        yield address


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    for name, value in {**NOBODYS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    return boto3.Session(region_name=REGION)


@pytest.fixture
def outputs(aws: boto3.Session, tmp_path: Path) -> dict[str, str]:
    """Set the template up with a fresh package; return what it says of itself."""
    folder = tmp_path / "package"
    # here functions run with the Python of .venv
    target = {
        "FUNCTIONS_PYTHON": ".".join(platform.python_version_tuple()[:2]),
        "FUNCTIONS_MACHINE": platform.machine(),
    }
    subprocess.run(
        [str(PACKAGE), str(folder)], check=True, timeout=500, env={**os.environ, **target}
    )
    s3: S3Client = aws.client("s3")
    for bucket in (CODE, LAKE):
        s3.create_bucket(Bucket=bucket)
    s3.upload_file(shutil.make_archive(str(tmp_path / "code"), "zip", folder), CODE, ZIP)
    formation: Any = aws.client("cloudformation")
    values = {"CodeBucket": CODE, "CodeKey": ZIP, "LakeBucket": LAKE}
    formation.create_stack(
        StackName=STACK,
        TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    formation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    (stack,) = formation.describe_stacks(StackName=STACK)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def count_as_number(functions: Any, name: str) -> None:
    """Set the mapping's concurrency again: this AWS takes a template's number for text."""
    (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    most = int(mapping["ScalingConfig"]["MaximumConcurrency"])
    functions.update_event_source_mapping(
        UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most}
    )


def give(functions: Any, name: str, variables: Mapping[str, str]) -> None:
    """Add variables to those that the template gives a function."""
    found = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**found, **variables}}
    )
    functions.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_the_scheduler_fills_the_queue_and_the_worker_lands_the_history_whatever_fails(
    aws: boto3.Session, outputs: dict[str, str], exchange: ReplayExchange, endpoint: str
) -> None:
    functions: Any = aws.client("lambda")
    queues = Queues(aws.client("sqs"), endpoint, outputs["QueueUrl"], outputs["DeadLetterUrl"])
    settings = {
        **exchange.urls.settings(),
        "extract.chunk_limit": "1000",
        "workers.retry_seconds": "1",
        "universe.binance.spot": "ETHUSDT",
        "universe.binance.usdm": "",
        "universe.binance.coinm": "",
        **{f"universe.deribit.{kind}": "" for kind in DERIBIT_KINDS},
    }
    variables = {f"CANDLELAKE_{path.upper().replace('.', '__')}": v for path, v in settings.items()}
    variables |= {**NOBODYS, "AWS_ENDPOINT_URL": endpoint}
    give(functions, outputs["SchedulerName"], variables)
    # a worker that asks once gives a message back at the first fault
    give(functions, outputs["WorkerName"], {**variables, "CANDLELAKE_EXTRACT__ATTEMPTS": "1"})
    count_as_number(functions, outputs["WorkerName"])
    queues.send("{}")

    answer = functions.invoke(
        FunctionName=outputs["SchedulerName"], Payload=json.dumps({"mode": "start"}).encode()
    )

    said = json.loads(answer["Payload"].read())
    assert said.keys() == {"sent"}, said
    assert said["sent"] > 1
    exchange.order(Fault("html", path="*/aggTrades", times=2))
    wait_for(lambda: queues.waiting() == 0, "the queue", seconds=120)
    store = open_store(f"s3a://{LAKE}/lake")
    assert covered_ids(store, "bronze/agg_trades/") == ETHUSDT_IDS
    assert exchange.faults_left() == []
    assert {body: "no message of a chunk" in why for body, why in queues.dead().items()} == {
        "{}": True
    }
