"""The templates set up in moto's server, and the histories' flow run on what it made.

What moto's CloudFormation does not make is made by the same properties through the service's own
interface, so that each has been read by the service's own model.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from extract.queues.sqs import records
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.objects import open_store
from lake.tables import TABLES
from tests.aws.permissions import calls_in, refused, unasked
from tests.aws.templates import ACCOUNT, GIVEN, REGION, ROOT, Template, path_of, statements
from tests.extract.asking import covered_ids
from tests.queues.on_queue import ETHUSDT_IDS
from tests.queues.sqs_server import NOBODYS, server

pytestmark = pytest.mark.slow

#: What a role may do that none of our own calls is, and who does it.
ASKED_BY_OTHERS = {
    "sqs:ReceiveMessage": "Lambda, which delivers to the worker",
    "sqs:DeleteMessage": "Lambda, of what the worker did not give back",
    "sqs:GetQueueAttributes": "Lambda, to know the queue",
    "logs:CreateLogStream": "Lambda and ECS",
    "logs:PutLogEvents": "Lambda and ECS",
}
DERIBIT_KINDS = ("future", "option", "spot", "future_combo", "option_combo")


@dataclass(frozen=True)
class Account:
    """An account of moto's in which every stack is set up."""

    endpoint: str
    session: boto3.Session
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        session: Any = self.session
        return session.client(service, endpoint_url=self.endpoint)

    def template(self, name: str, **parameters: str) -> Template:
        """Return a template in which each made resource stands under the name that it got."""
        stack = self.client("cloudformation").describe_stack_resources(StackName=name)
        made = {
            one["LogicalResourceId"]: one["PhysicalResourceId"]
            for one in stack["StackResources"]
            if "LogicalResourceId" in one
        }
        arns = {
            f"{queue}.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{made[queue].rpartition('/')[2]}"
            for queue in Template(name).of_type("SQS::Queue")
        }
        return Template(name, {**parameters}, {**made, **arns})


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with server("moto.sh", tmp_path_factory.mktemp("moto")) as endpoint:
        session = boto3.Session("x", "x", region_name=REGION)
        made = Account(endpoint, session, {})
        set_up(made, "artifacts", "artifacts", {"Name": "candlelake"})
        empty = io.BytesIO()
        with zipfile.ZipFile(empty, "w") as file:
            file.writestr("handlers.py", "")
        made.client("s3").put_object(
            Bucket=GIVEN["ArtifactBucket"], Key=str(GIVEN["CodeKey"]), Body=empty.getvalue()
        )
        set_up_children(made, "main")
        yield made


def set_up(account: Account, stack: str, name: str, parameters: dict[str, Any]) -> None:
    formation = account.client("cloudformation")
    body = path_of(name).read_text(encoding="utf-8")
    if name == "catalog":
        body = json.dumps(json.loads(body), separators=(",", ":"))
    formation.create_stack(
        StackName=stack,
        TemplateBody=body,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )
    (found,) = formation.describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] == "CREATE_COMPLETE"
    for one in found.get("Outputs", []):
        account.outputs[f"{stack}.Outputs.{one['OutputKey']}"] = one["OutputValue"]


def set_up_children(account: Account, root: str) -> None:
    """Set up what a root is made of, in its order, each with what those before it said."""
    for logical in Template(root).of_type("CloudFormation::Stack"):
        said = {
            f"{name.partition('.')[0].title()}.{name.partition('.')[2]}": value
            for name, value in account.outputs.items()
        }
        one = Template(root, made=said).of_type("CloudFormation::Stack")[logical]
        set_up(account, logical.lower(), one["TemplateURL"].partition(".")[0], one["Parameters"])


def test_s3_takes_what_the_template_says_of_the_lake(account: Account) -> None:
    lake = Template("storage", {"ReplicaRegion": "eu-west-1"}).of_type("S3::Bucket")["Lake"]
    bucket, other = lake["BucketName"], f"candlelake-lake-{ACCOUNT}-eu-west-1"
    rules = lake["ReplicationConfiguration"]["Rules"]
    (encryption,) = lake["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    s3 = account.client("s3")
    s3.create_bucket(Bucket=other, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for one in (bucket, other):
        s3.put_bucket_versioning(
            Bucket=one, VersioningConfiguration=lake["VersioningConfiguration"]
        )
    s3.put_public_access_block(
        Bucket=bucket, PublicAccessBlockConfiguration=lake["PublicAccessBlockConfiguration"]
    )
    default = encryption["ServerSideEncryptionByDefault"]
    s3.put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    s3.put_bucket_replication(
        Bucket=bucket,
        ReplicationConfiguration={
            "Role": f"arn:aws:iam::{ACCOUNT}:role/replication",
            "Rules": [{"ID": one["Id"], **without(one, "Id")} for one in rules],
        },
    )

    assert account.outputs["storage.Outputs.Bucket"] == bucket
    for rule in rules:
        assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{other}"
        assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}


def without(properties: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key != name}


def variables(account: Account, function: str) -> dict[str, str]:
    """Return the environment that the stack gave a function."""
    name = account.outputs[f"histories.Outputs.{function}Name"]
    found = account.client("lambda").get_function_configuration(FunctionName=name)
    return dict(found["Environment"]["Variables"])


def called(
    account: Account, exchange: ReplayExchange, function: str, event: object, calls: Path
) -> Any:
    """Call a function's handler in a process with the function's environment."""
    settings = {
        **exchange.urls.settings(),
        "extract.chunk_limit": "1000",
        "extract.attempts": "1",
        "workers.retry_seconds": "0",
        "universe.binance.spot": "ETHUSDT",
        "universe.binance.usdm": "",
        "universe.binance.coinm": "",
        **{f"universe.deribit.{kind}": "" for kind in DERIBIT_KINDS},
    }
    ours = {f"CANDLELAKE_{path.upper().replace('.', '__')}": v for path, v in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.aws.recorder", str(calls), function.lower()],
        cwd=ROOT,
        env={
            **os.environ,
            **NOBODYS,
            **variables(account, function),
            **ours,
            "AWS_ENDPOINT_URL": account.endpoint,
        },
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def stop_delivering(account: Account) -> None:
    """Switch the stack's event source mapping off: moto's own runs functions in Docker."""
    functions = account.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["EventSourceArn"].endswith(
        account.outputs["histories.Outputs.QueueUrl"].rpartition("/")[2]
    )
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def deliver(account: Account, queue: str) -> list[dict[str, Any]]:
    """Return what Lambda would hand the worker next."""
    answer = account.client("sqs").receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=4,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    )
    return records(answer)


def work_off(account: Account, exchange: ReplayExchange, calls: Path) -> None:
    """Deliver until the queue is empty, as the event source mapping of the stack would."""
    queue = account.outputs["histories.Outputs.QueueUrl"]
    sqs = account.client("sqs")
    while records := deliver(account, queue):
        answer = called(account, exchange, "Worker", {"Records": records}, calls)
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for record in records:
            if record["messageId"] not in failed:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=record["receiptHandle"])


def test_scheduler_queue_and_worker_land_a_history_with_no_right_too_few_or_too_many(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = account.outputs["histories.Outputs.QueueUrl"]
    calls = {name: tmp_path / name for name in ("Scheduler", "Worker")}
    stop_delivering(account)
    with ReplayExchange() as exchange:
        sent = called(account, exchange, "Scheduler", {"mode": "start"}, calls["Scheduler"])
        account.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
        exchange.order(Fault("html", path="*/aggTrades", times=1))
        work_off(account, exchange, calls["Worker"])
        again = called(account, exchange, "Scheduler", {"mode": "start"}, calls["Scheduler"])
        assert exchange.faults_left() == []

    assert sent["sent"] > 1
    assert again == {"sent": 0}
    for name, value in {**NOBODYS, "AWS_ENDPOINT_URL": account.endpoint}.items():
        monkeypatch.setenv(name, value)
    store = open_store(f"s3a://{account.outputs['storage.Outputs.Bucket']}/lake")
    assert covered_ids(store, "bronze/agg_trades/") == ETHUSDT_IDS
    dead = account.client("sqs").receive_message(
        QueueUrl=account.outputs["histories.Outputs.DeadLetterUrl"], MaxNumberOfMessages=10
    )
    assert [one["Body"] for one in dead["Messages"]] == ["{}"]
    for name, file in calls.items():
        holds_exactly(account, "histories", f"{name}Role", calls_in(file))


def holds_exactly(account: Account, name: str, role: str, calls: list[dict[str, str]]) -> None:
    """Assert that a role allows each call that was made, and no action that nobody needs."""
    bucket = account.outputs["storage.Outputs.Bucket"]
    allowed = statements(account.template(name, LakeBucket=bucket))[role]

    assert refused(allowed, calls) == []
    assert unasked(allowed, calls) - set(ASKED_BY_OTHERS) == set(), role


def test_ecs_has_a_service_an_exchange_and_one_of_minutes(account: Account) -> None:
    ecs = account.client("ecs")
    names = ecs.list_services(cluster="candlelake-live")["serviceArns"]

    found = ecs.describe_services(cluster="candlelake-live", services=names)["services"]

    assert {one["serviceName"] for one in found} == {"binance", "deribit", "minute"}
    assert {one["desiredCount"] for one in found} == {1}


def test_where_there_are_brokers_the_topic_is_landed_in_their_network(account: Account) -> None:
    ec2, ecs, iam = (account.client(name) for name in ("ec2", "ecs", "iam"))
    network = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.9.0.0/26")["Subnet"]["SubnetId"]
    secret = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:AmazonMSK_x-AbCdEf"
    brokers = {"KafkaServers": "b-1.example.com:9096", "KafkaSecretArn": secret}
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0e1b2c3d"
    place = {"Name": "brokers", "Vpc": network, "Subnets": subnet, "KafkaKeyArn": key}
    set_up(account, "place", "cluster", {**brokers, **place})
    said = {
        name.removeprefix("place.Outputs."): value
        for name, value in account.outputs.items()
        if name.startswith("place.")
    }
    lake = {name: GIVEN[name] for name in ("LakeBucket", "LakePrefix", "ImageUri")}

    set_up(account, "landing", "landing", {**brokers, **lake, **said, "KafkaUser": "collector"})

    (landing,) = ecs.describe_services(cluster="brokers-live", services=["landing"])["services"]
    assert landing["desiredCount"] == 1
    assert said["Subnets"] == subnet
    (group,) = ec2.describe_security_groups(GroupIds=[said["SecurityGroup"]])["SecurityGroups"]
    assert group["VpcId"] == network
    # moto attaches no policies of others to a role of a stack: that they are named is tested apart
    policy = iam.get_policy(PolicyArn=said["SecretPolicy"])["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])[
        "PolicyVersion"
    ]
    read, opened = version["Document"]["Statement"]
    assert (read["Resource"], opened["Resource"]) == (secret, key)


def test_the_scheduler_of_eventbridge_takes_every_timetable(account: Account) -> None:
    scheduler = account.client("scheduler")
    for name in ("histories", "collector", "spark"):
        for schedule, one in Template(name).of_type("Scheduler::Schedule").items():
            target = {**one["Target"], "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x"}
            for key in ("Arn", "DeadLetterConfig"):
                if key == "Arn" and not target[key].startswith("arn:"):
                    target[key] = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{target[key]}"
                if key in target and key != "Arn":
                    target[key] = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"}
            scheduler.create_schedule(Name=f"{name}-{schedule}", **{**one, "Target": target})
            made = scheduler.get_schedule(Name=f"{name}-{schedule}")
            assert made["Target"]["Input"] == one["Target"]["Input"]


def test_glue_holds_every_table_and_job(account: Account) -> None:
    glue = account.client("glue")
    catalog = Template("catalog")
    for one in catalog.of_type("Glue::Database").values():
        glue.create_database(DatabaseInput=one["DatabaseInput"])
    for one in catalog.of_type("Glue::Table").values():
        glue.create_table(DatabaseName=one["DatabaseName"].lower(), TableInput=one["TableInput"])
    for one in Template("spark").of_type("Glue::Job").values():
        glue.create_job(**{**one, "Role": f"arn:aws:iam::{ACCOUNT}:role/glue"})
    run = glue.start_job_run(
        JobName="candlelake-daily-check", Arguments={"--at": "2026-11-29T12:30:00Z"}
    )

    for name, table in TABLES.items():
        layer, _, own = name.partition(".")
        held = glue.get_table(DatabaseName=layer, Name=own)["Table"]
        columns = [*held["StorageDescriptor"]["Columns"], *held["PartitionKeys"]]
        assert {one["Name"] for one in columns} == set(table.schema.names)
    assert glue.get_job_run(JobName="candlelake-daily-check", RunId=run["JobRunId"])


def camel(value: Any) -> Any:
    """Return properties under the names that EMR's own interface gives them."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: camel(inner) for key, inner in value.items()}
    return [camel(one) for one in value] if isinstance(value, list) else value


def test_emr_takes_the_application_and_the_run_and_athena_its_workgroup(account: Account) -> None:
    emr = account.client("emr-serverless")
    machine = Template("spark").of_type("StepFunctions::StateMachine")["Steps"]
    states = json.loads(machine["DefinitionString"])["States"]
    application = camel(Template("spark").of_type("EMRServerless::Application"))["application"]
    # moto knows the releases of its own time alone
    application |= {"releaseLabel": "emr-6.6.0"}
    made = emr.create_application(clientToken="one", **application)
    asked = camel(states["OnEmr"]["Parameters"])
    submit = asked["jobDriver"]["sparkSubmit"]
    # what the state machine puts in
    assert (asked.pop("name.$"), submit.pop("entryPointArguments.$")) == ("$.work", "$.words")
    submit["entryPointArguments"] = states["MaintainOnEmr"]["Result"]
    asked |= {
        "name": "maintain",
        "applicationId": made["applicationId"],
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/emr",
    }

    run = emr.start_job_run(clientToken="two", **asked)
    athena = account.client("athena")
    group = Template("query").of_type("Athena::WorkGroup")["WorkGroup"]
    athena.create_work_group(Name=group["Name"], Configuration=group["WorkGroupConfiguration"])

    assert run["jobRunId"]
    held = athena.get_work_group(WorkGroup="candlelake")["WorkGroup"]["Configuration"]
    assert held["ResultConfiguration"]["OutputLocation"] == f"s3://{GIVEN['LakeBucket']}/athena/"
