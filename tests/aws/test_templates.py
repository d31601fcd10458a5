"""deploy/aws/: what the templates say is what the code takes, calls and registers."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from extract.queues.scheduling import window_of
from jobs.cli import app
from jobs.ddl import cloudformation
from jobs.extraction.live import life_of
from jobs.streams import LEAVE_SECONDS
from lake.kafka import consumer_options
from lake.settings import load_settings
from lake.tables import TABLES
from tests.aws.own_parser import job, parsed
from tests.aws.templates import (
    ACCOUNT,
    DOCUMENT,
    GIVEN,
    HERE,
    NAMES,
    ROOT,
    Template,
    listed,
    printed,
    statements,
)

KEY = "arn:aws:kms:us-east-1:123456789012:key/0e1b2c3d"
KAFKA = {
    "KafkaServers": "b-1.example.com:9096,b-2.example.com:9096",
    "KafkaUser": "collector",
    "KafkaSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_x-AbCdEf",
    "KafkaKeyArn": KEY,
    "SecretPolicy": "arn:aws:iam::123456789012:policy/secret",
}
#: What a service that reaches brokers with a password is told of it.
AT_BROKERS = {
    "CANDLELAKE_KAFKA__SERVERS": KAFKA["KafkaServers"],
    "CANDLELAKE_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
    "CANDLELAKE_KAFKA__USERNAME": KAFKA["KafkaUser"],
    "CANDLELAKE_KAFKA__PASSWORD": f"aws-secret:{KAFKA['KafkaSecretArn']}#password",
}
#: Actions that know no resource: AWS's own list of them says so.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"}


@pytest.mark.parametrize("exchange", ["binance", "deribit"])
@pytest.mark.parametrize("parameters", [{}, KAFKA], ids=["bronze", "kafka"])
def test_collectors_run_a_command_of_ours_with_settings_that_there_are(
    exchange: str, parameters: dict[str, str]
) -> None:
    template = Template("collector", {**parameters, "Exchange": exchange})
    (task,) = template.of_type("ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    program, *words = container["Command"]
    environ = {one["Name"]: one["Value"] for one in container["Environment"]}

    asked = parsed(get_command(app), words)
    secret = environ.pop("CANDLELAKE_KAFKA__PASSWORD", None)
    settings = load_settings(asked["env"], environ=environ)

    assert program == "candlelake"
    assert (asked["exchange"], asked["region"], asked["metrics_port"]) == (
        exchange,
        "us-east-1",
        9464,
    )
    assert life_of(asked["lifetime"], asked["overlap"]) == 6 * 3600 + 600
    assert settings.lake.root == f"s3a://{GIVEN['LakeBucket']}/lake"
    assert asked["sink"] == ("kafka" if parameters else "bronze")
    assert settings.kafka.servers == parameters.get("KafkaServers", "")
    assert secret == (f"aws-secret:{KAFKA['KafkaSecretArn']}#password" if parameters else None)


def test_a_collector_is_followed_before_its_life_ends() -> None:
    for exchange in ("binance", "deribit"):
        template = Template("collector", {"Exchange": exchange})
        (schedule,) = template.of_type("Scheduler::Schedule").values()
        (service,) = template.of_type("ECS::Service").values()
        target = json.loads(schedule["Target"]["Input"])
        assert schedule["ScheduleExpression"] == "rate(6 hours)"
        assert target == {
            "Cluster": "candlelake-live",
            "Service": exchange,
            "ForceNewDeployment": True,
        }
        (allowed,) = statements(template)["HandOverRole"]
        assert allowed["Action"] == "ecs:UpdateService"
        assert allowed["Resource"] == (
            f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/candlelake-live/{exchange}"
        )
        assert service["ServiceName"] == exchange
        assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
        assert service["DeploymentConfiguration"]["MaximumPercent"] == 200


@pytest.mark.parametrize(("bars", "polled"), [("as-set", None), ("none", False)])
def test_the_minute_service_runs_a_command_of_ours_with_settings_that_there_are(
    bars: str,
    polled: bool | None,  # noqa: FBT001 - as the parser has it
) -> None:
    # another region than the one that conf/aws.toml names
    template = Template("minute", {"Bars": bars}, {"AWS::Region": "ap-northeast-1"})
    (task,) = template.of_type("ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    program, *words = container["Command"]

    asked = parsed(get_command(app), words)
    environ = {one["Name"]: one["Value"] for one in container["Environment"]}
    settings = load_settings(asked["env"], environ=environ)

    assert program == "candlelake"
    # without end, what the package's conf names
    assert (asked["once"], asked["how_long"], asked["indexes"], asked["bars"]) == (
        False,
        None,
        None,
        polled,
    )
    assert settings.lake.root == f"s3a://{GIVEN['LakeBucket']}/lake"
    assert settings.lake.region == "ap-northeast-1"
    # a signal would not end the first process of a container
    assert container["LinuxParameters"] == {"InitProcessEnabled": True}


def test_the_landing_runs_our_job_at_the_brokers_of_the_collectors() -> None:
    template = Template("landing", KAFKA)
    (task,) = template.of_type("ECS::TaskDefinition").values()
    (container,) = task["ContainerDefinitions"]
    environ = {one["Name"]: one["Value"] for one in container["Environment"]}
    program, option, module, *words = container["Command"]

    assert (program, option) == ("python", "-m")
    asked = job([module.removeprefix("jobs."), *words])
    assert (asked["env"], asked["continuous"], asked["from_start"]) == ("aws", True, False)
    (sending,) = Template("collector", KAFKA).of_type("ECS::TaskDefinition").values()
    of_collectors = sending["ContainerDefinitions"][0]["Environment"]
    for told in (environ, {one["Name"]: one["Value"] for one in of_collectors}):
        assert {name: told[name] for name in told if "KAFKA" in name} == AT_BROKERS
    environ["CANDLELAKE_KAFKA__PASSWORD"] = "given itself"
    settings = load_settings(asked["env"], environ=environ)
    assert settings.lake.root == f"s3a://{GIVEN['LakeBucket']}/lake"
    assert consumer_options(settings.kafka)["security.protocol"] == "SASL_SSL"


def test_one_landing_runs_at_a_time_with_room_for_java_and_two_workers() -> None:
    template = Template("landing", KAFKA)
    (service,) = template.of_type("ECS::Service").values()
    (task,) = template.of_type("ECS::TaskDefinition").values()
    defaults = (ROOT / "conf" / "spark-defaults.conf").read_text("utf-8")
    java = int(re.findall(r"^spark\.driver\.memory +(\d+)g$", defaults, re.MULTILINE)[0])

    rolling = service["DeploymentConfiguration"]
    assert (rolling["MinimumHealthyPercent"], rolling["MaximumPercent"]) == (0, 100)
    assert service["DesiredCount"] == 1
    assert int(task["Cpu"]) == 2 * 1024
    # Java's heap and half as much beside it, and each processor's worker of Python
    assert int(task["Memory"]) >= java * 1024 * 1.5 + 2 * 512
    (container,) = task["ContainerDefinitions"]
    assert container["StopTimeout"] > LEAVE_SECONDS
    assert container["LinuxParameters"] == {"InitProcessEnabled": True}


def test_a_topic_is_landed_where_brokers_are_named_and_in_the_first_region_alone() -> None:
    def stacks(root: str, **parameters: str) -> dict[str, dict[str, Any]]:
        found = Template(root, parameters).of_type("CloudFormation::Stack")
        return {name: one["Parameters"] for name, one in found.items()}

    named = stacks("main", **KAFKA, Vpc="vpc-1", Subnets="subnet-8,subnet-9")

    assert "Landing" not in stacks("main")
    assert "Landing" not in stacks("second")
    for name in ("Binance", "Deribit", "Landing"):
        given = {key: named[name][key] for key in KAFKA if key in named[name]}
        assert given == {
            **{key: KAFKA[key] for key in ("KafkaServers", "KafkaUser", "KafkaSecretArn")},
            "SecretPolicy": "Cluster.Outputs.SecretPolicy",
        }
    assert named["Cluster"]["KafkaKeyArn"] == KEY
    assert (named["Cluster"]["Vpc"], named["Cluster"]["Subnets"]) == ("vpc-1", "subnet-8,subnet-9")
    for name in ("Binance", "Deribit", "Minute", "Landing"):
        assert named[name]["Subnets"] == "Cluster.Outputs.Subnets"
        assert named[name]["SecurityGroup"] == "Cluster.Outputs.SecurityGroup"


def test_the_secret_is_read_and_opened_with_its_key_and_nothing_else() -> None:
    without = {name: value for name, value in KAFKA.items() if name != "KafkaKeyArn"}
    read, opened = statements(Template("cluster", KAFKA))["ReadsSecret"]

    assert read["Action"] == "secretsmanager:GetSecretValue"
    assert read["Resource"] == KAFKA["KafkaSecretArn"]
    assert opened == {
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": KEY,
        "Condition": {
            "StringEquals": {"kms:ViaService": "secretsmanager.us-east-1.amazonaws.com"},
        },
    }
    assert statements(Template("cluster", without))["ReadsSecret"] == [read]
    assert "ReadsSecret" not in statements(Template("cluster"))
    for name in ("collector", "landing"):
        role = Template(name, KAFKA).of_type("IAM::Role")["Role"]
        assert role["ManagedPolicyArns"] == [KAFKA["SecretPolicy"]]
    assert "ManagedPolicyArns" not in Template("collector").of_type("IAM::Role")["Role"]


def test_services_run_in_the_brokers_network_and_reach_their_ports() -> None:
    own, theirs = Template("cluster"), Template("cluster", {**KAFKA, "Vpc": "vpc-1"})

    assert len(own.of_type("EC2::VPC")) == 1
    assert theirs.of_type("EC2::VPC") == {}
    assert theirs.of_type("EC2::SecurityGroup")["OnlyOut"]["VpcId"] == "vpc-1"
    assert own.of_type("EC2::SecurityGroupEgress") == {}
    ways = theirs.of_type("EC2::SecurityGroupEgress").values()
    assert {one["CidrIp"] for one in ways} == {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}
    assert all(one["FromPort"] <= 9096 <= one["ToPort"] for one in ways)


def test_each_region_asks_for_prices_and_the_first_one_for_bars() -> None:
    bars = {
        root: Template(root).of_type("CloudFormation::Stack")["Minute"]["Parameters"].get("Bars")
        for root in ("main", "second")
    }

    assert bars == {"main": None, "second": "none"}
    assert Template("minute").body["Parameters"]["Bars"]["Default"] == "as-set"


@pytest.mark.parametrize("start", ["", "2026-11-01"])
def test_the_timetable_of_histories_says_what_the_scheduler_reads(start: str) -> None:
    template = Template("histories", {"Start": start})
    (schedule,) = template.of_type("Scheduler::Schedule").values()

    window = window_of(json.loads(schedule["Target"]["Input"]))

    assert window.mode == "start"
    assert (window.start_ms is None) == (start == "")


def test_each_table_of_the_registry_is_in_the_catalog() -> None:
    catalog = Template("catalog")
    tables = catalog.of_type("Glue::Table").values()

    assert catalog.body == cloudformation(list(TABLES.values())), (
        "run: candlelake ddl --engine cloudformation > deploy/aws/catalog.json"
    )
    named = {
        f"{one['DatabaseName'].lower()}.{one['TableInput']['Name']}": one["TableInput"]
        for one in tables
    }
    assert named.keys() == TABLES.keys()
    for name, one in named.items():
        columns = [*one["StorageDescriptor"]["Columns"], *one["PartitionKeys"]]
        assert {column["Name"] for column in columns} == set(TABLES[name].schema.names)
        assert one["Parameters"]["table_type"] == "DELTA"
        assert one["StorageDescriptor"]["Location"] == (
            f"s3://{GIVEN['LakeBucket']}/lake/{TABLES[name].path}/"
        )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parameters", [{}, {**KAFKA, "ReplicaRegion": "eu-west-1"}])
def test_no_role_may_do_anything_anywhere(name: str, parameters: dict[str, str]) -> None:
    declared = Template(name).body["Parameters"]
    template = Template(name, {k: v for k, v in parameters.items() if k in declared})

    for role, allowed in statements(template).items():
        for statement in allowed:
            for action in listed(statement["Action"]):
                assert re.fullmatch(r"[a-z0-9-]+:[A-Z]\w+", action), f"{role}: {action}"
            stars = [one for one in listed(statement["Resource"]) if one == "*"]
            if stars:
                assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE, role
                if "cloudwatch:PutMetricData" in listed(statement["Action"]):
                    bound = {"StringEquals": {"cloudwatch:namespace": "Candlelake"}}
                    assert statement["Condition"] == bound


@pytest.mark.parametrize("name", NAMES)
def test_every_bucket_is_closed_versioned_encrypted_and_kept(name: str) -> None:
    template = Template(name)
    policies = template.of_type("S3::BucketPolicy").values()

    for bucket, one in template.of_type("S3::Bucket").items():
        assert set(one["PublicAccessBlockConfiguration"].values()) == {True}
        assert one["VersioningConfiguration"] == {"Status": "Enabled"}
        assert one["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert template.body["Resources"][bucket]["DeletionPolicy"] == "Retain"
        denied = [
            statement
            for policy in policies
            if policy["Bucket"] == bucket
            for statement in policy["PolicyDocument"]["Statement"]
        ]
        assert [one["Effect"] for one in denied] == ["Deny"]


def test_bronze_grows_cold_without_ever_having_to_be_restored() -> None:
    lake = Template("storage").of_type("S3::Bucket")["Lake"]
    rules = {one["Id"]: one for one in lake["LifecycleConfiguration"]["Rules"]}
    cold = rules["cold-bronze"]

    assert cold["Prefix"] == "lake/bronze/"
    assert cold["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
    assert all("ExpirationInDays" not in one for name, one in rules.items() if "bronze" in name)
    assert not any(
        "lake/".startswith(one.get("Prefix", "")) and "ExpirationInDays" in one
        for one in rules.values()
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_queue_that_fails_somebody_has_an_alarm(name: str) -> None:
    template = Template(name, {"AlarmTopic": "arn:aws:sns:us-east-1:123456789012:alarms"})
    alarms = template.of_type("CloudWatch::Alarm").values()
    watched = {one["Dimensions"][-1]["Value"].partition(".")[0] for one in alarms}

    wanted = {
        *template.of_type("SQS::Queue"),
        *template.of_type("Lambda::Function"),
        *template.of_type("StepFunctions::StateMachine"),
        *(one["ServiceName"] for one in template.of_type("ECS::Service").values()),
    }
    assert wanted <= watched


def test_the_roots_give_each_template_what_it_wants_and_nothing_else() -> None:
    for root in ("main", "second"):
        for one in Template(root).of_type("CloudFormation::Stack").values():
            child = Template(one["TemplateURL"].partition(".")[0])
            declared = child.body["Parameters"]
            needed = {name for name, value in declared.items() if "Default" not in value}
            assert needed <= one["Parameters"].keys() <= declared.keys(), child.name
    assert {path.name for path in HERE.glob("*.yaml")} >= {"main.yaml", "second.yaml"}


def test_no_template_uses_what_cloudformation_does_not_read() -> None:
    for path in HERE.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        # aliases and merges of YAML are none of CloudFormation's
        assert not re.search(r"(^|\s)[&*][a-z]\w*\s*$|<<:", text, re.MULTILINE), path.name
        assert len(text.encode()) < 51_200, path.name


def test_the_document_gives_each_root_what_it_wants_and_nothing_else() -> None:
    told = [shlex.split(line) for line in printed() if "deploy.sh main" in line]
    told += [shlex.split(line) for line in printed() if "deploy.sh second" in line]

    assert len(told) == 4
    for words in told:
        start = next(place for place, word in enumerate(words) if word.endswith("deploy.sh"))
        root, *parameters = words[start + 1 :]
        given = {one.partition("=")[0] for one in parameters}
        declared = Template(root).body["Parameters"]
        needed = {name for name, value in declared.items() if "Default" not in value}
        # deploy.sh gives these itself
        assert needed - {"ArtifactBucket"} <= given <= declared.keys(), words


def test_settings_that_the_document_prints_are_read(tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```toml\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    conf = tmp_path / "conf"
    shutil.copytree(ROOT / "conf", conf)
    with (conf / "aws.toml").open("a", encoding="utf-8") as file:
        file.write("\n".join(["", *blocks]))

    settings = load_settings("aws", conf=conf, environ={})

    assert len(blocks) == 2
    assert settings.universe["binance"]["spot"] == ("BTCUSDT",)
    assert settings.levels.agg_trades.fresh_seconds == 10800
    assert settings.levels.run_seconds_per_million_rows == 0
