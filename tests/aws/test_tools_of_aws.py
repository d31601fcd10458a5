"""The templates held by AWS's own tools: cfn-lint, and the command line that sets them up."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.aws.templates import NAMES, ROOT, Template, path_of, printed
from tests.queues.sqs_server import NOBODYS, REGION, SERVICES, server

pytestmark = pytest.mark.slow

#: What cfn-lint warns of and is meant so.
MEANT = {
    "W3002": "the roots name the other templates by file; deploy.sh packages them",
    "W1030": "a network is made where none is named",
}


@pytest.fixture(scope="module")
def tools() -> Path:
    """Return the folder of AWS's tools, installed where they are not."""
    with_python = subprocess.run(
        [SERVICES / "moto.sh", "run", "python", "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if with_python.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(with_python.stderr)
        pytest.skip(f"AWS's tools can't be installed here: {with_python.stderr}")
    return Path(with_python.stdout.strip()) / "bin"


def test_cfn_lint_finds_nothing(tools: Path) -> None:
    files = [str(path_of(name)) for name in NAMES]

    done = subprocess.run(
        [
            str(tools / "cfn-lint"),
            *("--regions", "us-east-1", "eu-west-1", "ap-northeast-1"),
            *("--ignore-checks", *MEANT),
            "--",
            *files,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_cfn_lint_reads_the_state_machine_when_its_names_are_put_in(
    tools: Path, tmp_path: Path
) -> None:
    machine = Template("spark").of_type("StepFunctions::StateMachine")["Steps"]
    definition = json.loads(machine["DefinitionString"])
    file = tmp_path / "steps.json"

    def linted(states: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        properties = {
            "RoleArn": "arn:aws:iam::123456789012:role/steps",
            "Definition": {**definition, "States": states},
        }
        steps = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
        file.write_text(json.dumps({"Resources": {"Steps": steps}}), encoding="utf-8")
        words = [str(tools / "cfn-lint"), "--", str(file)]
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)

    states = definition["States"]
    goes_on_and_ends = {**states["OnEmr"], "End": True}

    assert linted(states).stdout == ""
    assert linted({**states, "OnEmr": goes_on_and_ends}).returncode != 0


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("ministack.sh", tmp_path_factory.mktemp("ministack")) as address:
        yield address


def account_at(endpoint: str, tools: Path) -> dict[str, str]:
    """Return the environment in which AWS's tools speak to a local AWS."""
    return {
        **os.environ,
        **NOBODYS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "PATH": f"{tools}:{os.environ['PATH']}",
    }


def test_the_second_region_is_set_up_by_the_script_and_the_command_line(
    tools: Path, endpoint: str, tmp_path: Path
) -> None:
    environment = account_at(endpoint, tools)
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/candlelake:1"

    def told(*words: str) -> str:
        done = subprocess.run(
            words, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    script = str(ROOT / "deploy" / "aws" / "deploy.sh")
    told(script, "artifacts")
    outputs = told(script, "second", f"ImageUri={image}", "Email=somebody@example.com")

    assert "LakeBucket" in outputs
    assert f"candlelake-lake-000000000000-{REGION}" in outputs
    services = told("aws", "ecs", "list-services", "--cluster", "candlelake-live")
    assert "service/candlelake-live/binance" in services
    assert "service/candlelake-live/deribit" in services
    assert "service/candlelake-live/minute" in services
    assert told("aws", "scheduler", "list-schedules").count("aws-sdk:ecs:updateService") == 2


def test_a_whole_package_is_uploaded_and_no_other(
    tools: Path, endpoint: str, tmp_path: Path
) -> None:
    """What the templates name in the package's folder is what the script wants there."""
    environment = {**account_at(endpoint, tools), "CANDLELAKE_STACK": "packed"}
    named = set(re.findall(r"/candlelake-1/([\w.-]+)", json.dumps(Template("spark").resources)))
    main = Template("main").of_type("CloudFormation::Stack")["Histories"]["Parameters"]
    named.add(main["CodeKey"].removeprefix("candlelake-1/"))
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    package = tmp_path / "build" / "package"
    package.mkdir(parents=True)
    (package / "VERSION").write_text("9.9.9\n", encoding="utf-8")

    def told(*words: str) -> subprocess.CompletedProcess[str]:
        script = str(tmp_path / "deploy" / "aws" / "deploy.sh")
        return subprocess.run(
            [script, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    assert told("artifacts").returncode == 0
    for part in named:
        (package / part).write_bytes(b"part")
    for part in sorted(named):
        (package / part).unlink()
        refused = told("upload")
        (package / part).write_bytes(b"part")
        assert (refused.returncode, f"has no {part};" in refused.stderr) == (2, True), part
    done = told("upload")

    assert done.stdout == "candlelake-9.9.9\n", done.stderr
    s3 = boto3.Session("x", "x", region_name=REGION).client("s3", endpoint_url=endpoint)
    bucket = f"packed-artifacts-000000000000-{REGION}"
    held = s3.list_objects_v2(Bucket=bucket, Prefix="candlelake-9.9.9/")["Contents"]
    assert {one["Key"].partition("/")[2] for one in held} == {*named, "VERSION"}


def commands_of_aws() -> list[str]:
    """Return each command of `aws` that the document prints, those within others too."""
    parts = [
        inner
        for line in printed()
        for inner in re.findall(r'\$\((aws .*)\)"$', line) or [line.partition(" | ")[0]]
    ]
    return [one for one in parts if one.startswith("aws ")]


@pytest.mark.parametrize("command", commands_of_aws())
def test_a_printed_command_is_read_by_the_command_lines_own_parser(
    tools: Path, command: str
) -> None:
    """Asked of nobody: what gets as far as the network has been parsed and checked before."""
    environment = {
        **NOBODYS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "PATH": f"{tools}:{os.environ['PATH']}",
        "ACCOUNT": "123456789012",
        "LAKE": "candlelake-lake-123456789012-us-east-1",
        "QUEUE": "http://127.0.0.1:9/123456789012/queue",
        "STEPS": "arn:aws:states:us-east-1:123456789012:stateMachine:candlelake",
        "QUERY": "0e1b2c3d-0000-0000-0000-000000000000",
    }

    done = subprocess.run(
        ["bash", "-c", command],
        env=environment,
        input="typed",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "Could not connect to the endpoint URL" in done.stderr, done.stderr
