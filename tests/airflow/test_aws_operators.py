"""Spark jobs that run at AWS: what EMR Serverless and Glue are asked for, at a server of theirs."""

from __future__ import annotations

import shlex
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.airflow.airflow_here import Airflow, Done
from tests.airflow.our_parsers import parsed
from tests.ports import free_port
from tests.queues.conftest import wait_for
from tests.queues.sqs_server import NOBODYS, REGION, SERVICES, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROLE = "arn:aws:iam::123456789012:role/candlelake"
MOMENT = "2026-11-29T04:30:00+00:00"
DAG = "candlelake_reconcile_daily"
EXPECTED = [
    *("reconcile", "--check", "daily", "--at", "2026-11-29T04:30:00Z", "--exchange", "binance"),
    *("--set", "extract.limit_share=0.15", "--env", "aws", "--set", "lake.root=s3a://b/a lake"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with server("moto.sh", tmp_path_factory.mktemp("moto")) as address:
        yield address


def client(endpoint: str, service: str) -> Any:
    return boto3.Session().client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def run(home: Path, endpoint: str, **settings: Any) -> Done:
    """Run the daily reconciliation with Spark at AWS."""
    named = {"env": "aws", "sets": {"lake.root": "s3a://b/a lake"}, **settings}
    variables = {**NOBODYS, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": endpoint}
    return Airflow(home, named, variables).test_run(DAG, MOMENT)


def application_of(emr: Any) -> dict[str, Any]:
    """Make an application; return the settings that name it."""
    made = emr.create_application(
        name="candlelake", type="SPARK", releaseLabel="emr-7.10.0", clientToken="t"
    )
    return {
        "application_id": made["applicationId"],
        "execution_role_arn": ROLE,
        "code": "s3://code/1.0/",
    }


def test_emr_serverless_is_given_the_job_with_its_words(home: Path, endpoint: str) -> None:
    emr = client(endpoint, "emr-serverless")
    where = {
        **application_of(emr),
        "submit_parameters": "--py-files s3://code/candlelake.zip",
        "log_uri": "s3://logs/",
        "poll_seconds": 1,
    }

    done = run(home, endpoint, run_on="emr-serverless", emr_serverless=where)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    application = where["application_id"]
    (listed,) = emr.list_job_runs(applicationId=application)["jobRuns"]
    found = emr.get_job_run(applicationId=application, jobRunId=listed["id"])["jobRun"]
    assert (found["name"], found["executionRole"]) == ("candlelake-reconcile", ROLE)
    submit = found["jobDriver"]["sparkSubmit"]
    assert submit["entryPoint"] == "s3://code/1.0/run_job.py"
    assert submit["entryPointArguments"] == EXPECTED
    assert submit["sparkSubmitParameters"] == "--py-files s3://code/candlelake.zip"
    assert parsed("spark-submit.sh", EXPECTED)["at"] == "2026-11-29T04:30:00Z"
    logs = found["configurationOverrides"]["monitoringConfiguration"]
    assert logs["s3MonitoringConfiguration"]["logUri"] == "s3://logs/"


@pytest.fixture
def failing_endpoint(endpoint: str) -> Iterator[str]:
    """A second server, whose runs fail; the first one has seen to it that moto is installed."""
    port = str(free_port())
    program = Path(__file__).with_name("failing_aws.py")
    server = subprocess.Popen(
        [str(SERVICES / "moto.sh"), "run", "python", str(program), port],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(int(port)), "moto", seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_gate_that_stops_a_run_at_emr_fails_the_task_at_once_with_what_emr_says(
    home: Path, failing_endpoint: str
) -> None:
    emr = client(failing_endpoint, "emr-serverless")
    where = {**application_of(emr), "poll_seconds": 1}

    done = run(home, failing_endpoint, run_on="emr-serverless", emr_serverless=where)

    said = done.stdout + done.stderr
    (listed,) = emr.list_job_runs(applicationId=where["application_id"])["jobRuns"]
    assert done.returncode != 0
    assert "DagRun failed" in said
    assert (
        f"a gate stopped the run: reconcile, run {listed['id']}, FAILED: Job failed, please check"
        " complete logs in configured logging destination. ExitCode: 3."
    ) in said


def test_glue_is_given_the_job_with_its_words_in_one_argument(home: Path, endpoint: str) -> None:
    glue = client(endpoint, "glue")
    command = {"Name": "glueetl", "ScriptLocation": "s3://code/run_job.py"}
    glue.create_job(Name="candlelake-reconcile", Role=ROLE, Command=command)

    where = {"job_name": "candlelake-{job}", "poll_seconds": 1}
    done = run(home, endpoint, run_on="glue", glue=where)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (found,) = glue.get_job_runs(JobName="candlelake-reconcile")["JobRuns"]
    assert shlex.split(found["Arguments"]["--command"]) == EXPECTED
    assert found["JobRunState"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("why", "raised"),
    [
        ("FAILED: Job failed, see the logs. ExitCode: 3. Last few exceptions:", "Fail"),
        ("FAILED: SystemExit: 2", "Fail"),
        ("FAILED: Job failed. ExitCode: 4.", ""),
        ("FAILED: Job failed. ExitCode: 137.", ""),
        ("CANCELLED: no details", ""),
    ],
)
def test_a_run_that_failed_at_aws_is_judged_by_the_exit_code_that_aws_tells(
    home: Path, why: str, raised: str
) -> None:
    told = Airflow(home).python("judging.py", given={"job": "refine", "run": "r1", "why": why})

    assert told["raised"] == f"Airflow{raised}Exception"
    assert f"refine, run r1, {why}" in told["text"]
