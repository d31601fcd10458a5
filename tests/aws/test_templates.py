"""deploy/aws/: what the templates say is what the code takes, calls and registers."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from typing import Any

import pytest
import typer
from typer.main import get_command

from deploy.aws.run_job import words_of
from deploy.package import JARS
from extract.queues.scheduling import window_of
from jobs.cli import app
from jobs.ddl import cloudformation
from jobs.extraction.live import life_of
from jobs.pipeline import pipeline
from jobs.reconcile import reconcile
from lake.settings import load_settings
from lake.tables import TABLES
from tests.aws.templates import GIVEN, HERE, NAMES, Template, listed, printed, statements

JOBS: dict[str, Any] = {"pipeline": pipeline, "reconcile": reconcile}
KAFKA = {
    "KafkaServers": "b-1.example.com:9096,b-2.example.com:9096",
    "KafkaUser": "collector",
    "KafkaSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:AmazonMSK_x-AbCdEf",
}
#: Actions that know no resource: AWS's own list of them says so.
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken"}


def parsed(command: Any, words: list[str]) -> dict[str, Any]:
    """Let a command's own parser read words, groups followed down; nothing is run."""
    context = command.make_context(command.name or "candlelake", list(words))
    rest = [*getattr(context, "_protected_args", []), *context.args]
    if hasattr(command, "resolve_command") and rest:
        _, inner, left = command.resolve_command(context, rest)
        return parsed(inner, left)
    assert not rest, rest
    return dict(context.params)


def job(words: list[str]) -> dict[str, Any]:
    name, *options = words
    alone = typer.Typer(add_completion=False)
    alone.command()(JOBS[name])
    return parsed(get_command(alone), options)


@pytest.mark.parametrize("exchange", ["binance", "deribit"])
@pytest.mark.parametrize("parameters", [{}, KAFKA], ids=["bronze", "kafka"])
def test_collectors_run_a_command_of_ours_with_settings_that_there_are(
    exchange: str, parameters: dict[str, str]
) -> None:
    tasks = Template("collectors", parameters).of_type("ECS::TaskDefinition")
    (container,) = tasks[f"{exchange.title()}Task"]["ContainerDefinitions"]
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
    template = Template("collectors")

    for exchange in ("binance", "deribit"):
        schedule = template.of_type("Scheduler::Schedule")[f"{exchange.title()}HandOver"]
        service = template.of_type("ECS::Service")[exchange.title()]
        target = json.loads(schedule["Target"]["Input"])
        assert schedule["ScheduleExpression"] == "rate(6 hours)"
        assert target == {
            "Cluster": "candlelake-live",
            "Service": exchange,
            "ForceNewDeployment": True,
        }
        assert service["ServiceName"] == exchange
        assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
        assert service["DeploymentConfiguration"]["MaximumPercent"] == 200


def glue_words(name: str, *more: str) -> list[str]:
    arguments = Template("spark").of_type("Glue::Job")[name]["DefaultArguments"]
    flat = [word for pair in arguments.items() for word in pair]
    return words_of(["--JOB_NAME", "x", *flat, *more, "--TempDir", "s3://x/"])


def test_glue_refines_and_checks_with_jobs_of_ours() -> None:
    refine = job(glue_words("GlueRefine"))
    check = job(glue_words("GlueCheck", "--at", "2026-11-29T12:30:00Z"))

    assert refine["datasets"] == "index_prices"
    assert check["check"] == "daily"
    assert check["at"] == "2026-11-29T12:30:00Z"
    for asked in (refine, check):
        settings = load_settings(asked["env"], asked["sets"], environ={})
        assert settings.lake.root == f"s3a://{GIVEN['LakeBucket']}/lake"
        assert settings.lake.region == "us-east-1"


@pytest.mark.parametrize("start", ["", "2026-11-01"])
def test_the_timetable_of_histories_says_what_the_scheduler_reads(start: str) -> None:
    template = Template("histories", {"Start": start})
    (schedule,) = template.of_type("Scheduler::Schedule").values()

    window = window_of(json.loads(schedule["Target"]["Input"]))

    assert window.mode == "start"
    assert (window.start_ms is None) == (start == "")


def definition() -> dict[str, Any]:
    (machine,) = Template("spark").of_type("StepFunctions::StateMachine").values()
    return dict(json.loads(machine["DefinitionString"]))


def test_emr_refines_as_glue_does_with_the_same_package() -> None:
    states = definition()["States"]
    submit = states["RefineOnEmr"]["Parameters"]["JobDriver"]["SparkSubmit"]
    glue = Template("spark").of_type("Glue::Job")["GlueRefine"]

    options = shlex.split(submit["SparkSubmitParameters"])
    given = dict(zip(options[::2], options[1::2], strict=True))

    assert job(words_of(submit["EntryPointArguments"])) == job(glue_words("GlueRefine"))
    assert set(options[::2]) == {"--py-files", "--archives", "--jars", "--conf"}
    assert submit["EntryPoint"] == glue["Command"]["ScriptLocation"]
    assert given["--py-files"] == glue["DefaultArguments"]["--extra-py-files"]
    assert given["--archives"] == f"{glue['DefaultArguments']['--python-virtual-env']}#environment"
    ours = [one for one in given["--jars"].split(",") if one.startswith("s3://")]
    assert [*ours, glue["DefaultArguments"]["--extra-jars"]] == [
        f"s3://{GIVEN['ArtifactBucket']}/candlelake-1/{name}" for name in JARS
    ]
    assert all("=" in value for name, value in pairwise(options) if name == "--conf")


def test_the_state_machine_knows_every_word_that_the_timetables_say() -> None:
    states = definition()["States"]
    jobs = {one["Name"] for one in Template("spark").of_type("Glue::Job").values()}
    choices = {one["StringEquals"]: one["Next"] for one in states["Work"]["Choices"]}

    for engine in ("emr", "glue"):
        template = Template("spark", {"RefineOn": engine})
        for one in template.of_type("Scheduler::Schedule").values():
            said = json.loads(one["Target"]["Input"])
            assert said.keys() == {"work", "on", "at"}
            assert said["at"] == "<aws.scheduler.scheduled-time>"
            assert said["work"] == "check" or said["on"] in {*choices, "emr"}
    assert choices == {"check": "Check", "glue": "RefineOnGlue"}
    for name in ("RefineOnGlue", "Check"):
        assert states[name]["Parameters"]["JobName"] in jobs
    assert states["Check"]["Parameters"]["Arguments"] == {"--at.$": "$.at"}


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
