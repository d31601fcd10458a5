"""The state machine of Spark's jobs, run by an interpreter of Step Functions that is not ours.

moto's server runs it: each way is gone, each job of Glue started, and the metric that the alarm
watches written. EMR it knows not; what would be submitted is handed on instead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from time import sleep
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from tests.aws.templates import ACCOUNT, REGION, Template
from tests.queues.sqs_server import server

pytestmark = pytest.mark.slow

AT = "2026-11-29T12:30:00Z"
WORKS = ("refine", "check", "maintain", "levels")
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


@dataclass(frozen=True)
class Steps:
    """The machine in moto, with the jobs of Glue that it starts."""

    endpoint: str
    arn: str

    def client(self, service: str) -> Any:
        session: Any = boto3.Session("x", "x", region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)

    def run(self, work: str, on: str) -> dict[str, Any]:
        """Run it to its end and return what it ended with."""
        steps = self.client("stepfunctions")
        started = steps.start_execution(
            stateMachineArn=self.arn,
            name=f"{work}-{on}-{datetime.now(UTC):%H%M%S%f}",
            input=json.dumps({"work": work, "on": on, "at": AT}),
        )
        for _ in range(200):
            found = steps.describe_execution(executionArn=started["executionArn"])
            if found["status"] != "RUNNING":
                assert found["status"] == "SUCCEEDED", found
                return dict(json.loads(found["output"]))
            sleep(0.1)
        raise AssertionError(f"{work} on {on} does not end")

    def refined(self) -> float:
        """Return what the alarm of a standstill counts."""
        made = {"Steps": self.arn}
        template = Template("spark", {"AlarmTopic": TOPIC}, made)
        alarm = template.of_type("CloudWatch::Alarm")["NothingRefined"]
        now = datetime.now(UTC)
        points = self.client("cloudwatch").get_metric_statistics(
            **{name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions", "Period")},
            Statistics=[alarm["Statistic"]],
            StartTime=now - timedelta(hours=2),
            EndTime=now + timedelta(hours=2),
        )["Datapoints"]
        return float(sum(one[alarm["Statistic"]] for one in points))


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Steps]:
    template = Template("spark")
    machine = template.of_type("StepFunctions::StateMachine")["Steps"]
    definition = json.loads(machine["DefinitionString"])
    submit = definition["States"]["OnEmr"]
    submit = {"Type": "Pass", "ResultPath": submit["ResultPath"], "Next": submit["Next"]}
    definition["States"]["OnEmr"] = {**submit, "Parameters": {"words.$": "$.words"}}
    # moto starts a job of Glue as AWS does, and can't wait for its end
    text = json.dumps(definition).replace("glue:startJobRun.sync", "glue:startJobRun")
    role = f"arn:aws:iam::{ACCOUNT}:role/steps"
    with server("moto.sh", tmp_path_factory.mktemp("moto")) as endpoint:
        execute = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{endpoint}/moto-api/config", execute, headers)) as answer:
            assert answer.status == 201
        made = Steps(endpoint, "")
        for one in template.of_type("Glue::Job").values():
            made.client("glue").create_job(**{**one, "Role": role})
        client = made.client("stepfunctions")
        found = client.create_state_machine(name="steps", definition=text, roleArn=role)
        yield Steps(endpoint, found["stateMachineArn"])


@pytest.mark.parametrize("work", WORKS)
def test_each_work_runs_its_job_of_glue_and_no_other(steps: Steps, work: str) -> None:
    glue = steps.client("glue")
    jobs = glue.list_jobs()["JobNames"]
    before = {name: len(glue.get_job_runs(JobName=name)["JobRuns"]) for name in jobs}

    steps.run(work, "glue")

    runs = {name: glue.get_job_runs(JobName=name)["JobRuns"] for name in jobs}
    (started,) = (name for name in jobs if len(runs[name]) > before[name])
    assert started.endswith({"check": "-daily-check"}.get(work, f"-{work}"))
    moments = {one["Arguments"].get("--at") for one in runs[started]}
    assert moments == ({AT} if work == "check" else {None})


@pytest.mark.parametrize(
    ("work", "first"), [("refine", "pipeline"), ("maintain", "maintain"), ("levels", "candlelake")]
)
def test_each_work_is_submitted_to_emr_under_its_name(steps: Steps, work: str, first: str) -> None:
    ended = steps.run(work, "emr")

    assert ended["work"] == work
    assert ended["run"]["words"][0] == first


def test_only_what_refines_keeps_the_alarm_of_a_standstill_quiet(steps: Steps) -> None:
    counted = [steps.refined()]
    for work, on in product(WORKS, ("emr", "glue")):
        steps.run(work, on)
        counted.append(steps.refined())

    added = [after - before for before, after in pairwise(counted)]
    assert added == [1, 1, *[0] * 6]
