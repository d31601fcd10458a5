"""deploy/aws/spark.yaml: each work is a job of ours, on EMR and on Glue alike."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from typing import Any

import pytest

from deploy.aws.run_job import words_of
from deploy.package import JARS, LOG_STORE
from lake.settings import load_settings
from tests.aws.own_parser import job
from tests.aws.templates import GIVEN, Template

#: What Glue runs, by the word that the state machine knows it by.
GLUE = {
    "refine": "GlueRefine",
    "check": "GlueCheck",
    "maintain": "GlueMaintain",
    "levels": "GlueLevels",
}


def glue_words(name: str, *more: str, **parameters: str) -> list[str]:
    arguments = Template("spark", parameters).of_type("Glue::Job")[name]["DefaultArguments"]
    flat = [word for pair in arguments.items() for word in pair]
    return words_of(["--JOB_NAME", "x", *flat, *more, "--TempDir", "s3://x/"])


def test_glue_works_with_jobs_of_ours() -> None:
    refine = job(glue_words("GlueRefine"))
    check = job(glue_words("GlueCheck", "--at", "2026-11-29T12:30:00Z"))
    keep = job(glue_words("GlueMaintain"))
    levels = job(glue_words("GlueLevels"))

    assert refine["datasets"] == "index_prices"
    assert check["check"] == "daily"
    assert check["at"] == "2026-11-29T12:30:00Z"
    # of all tables, and of all days: a history that lands late is of long ago
    assert (keep["table"], keep["start"], keep["end"], keep["dry_run"]) == (None, None, None, False)
    for asked in (refine, check, keep, levels):
        settings = load_settings(asked["env"], asked["sets"], environ={})
        assert settings.lake.root == f"s3a://{GIVEN['LakeBucket']}/lake"
        assert settings.lake.region == "us-east-1"


@pytest.mark.parametrize("log_store", ["conditional", "single-driver"])
def test_every_job_that_writes_commits_as_the_parameter_says(log_store: str) -> None:
    on_emr = definition(LogStore=log_store)["States"]
    writing = [
        *(glue_words(GLUE[work], LogStore=log_store) for work in ("refine", "check", "maintain")),
        *(on_emr[name]["Result"] for name in ("RefineOnEmr", "MaintainOnEmr")),
    ]

    for words in writing:
        asked = job(words_of(words))
        settings = load_settings(asked["env"], asked["sets"], environ={})
        assert settings.lake.log_store == log_store
    spark = Template("main", {"LogStore": log_store}).of_type("CloudFormation::Stack")["Spark"]
    assert spark["Parameters"]["LogStore"] == log_store


def definition(**parameters: str) -> dict[str, Any]:
    (machine,) = Template("spark", parameters).of_type("StepFunctions::StateMachine").values()
    return dict(json.loads(machine["DefinitionString"]))


@pytest.mark.parametrize("work", ["refine", "maintain", "levels"])
def test_emr_does_as_glue_does(work: str) -> None:
    words = definition()["States"][f"{work.title()}OnEmr"]

    assert job(words_of(words["Result"])) == job(glue_words(GLUE[work]))
    assert (words["ResultPath"], words["Next"]) == ("$.words", "OnEmr")


def test_emr_and_glue_run_the_same_package() -> None:
    states = definition()["States"]
    submit = states["OnEmr"]["Parameters"]["JobDriver"]["SparkSubmit"]
    glue = Template("spark").of_type("Glue::Job")["GlueRefine"]

    options = shlex.split(submit["SparkSubmitParameters"])
    given = dict(zip(options[::2], options[1::2], strict=True))

    assert submit["EntryPointArguments.$"] == states["RefineOnEmr"]["ResultPath"]
    assert set(options[::2]) == {"--py-files", "--archives", "--jars", "--conf"}
    assert submit["EntryPoint"] == glue["Command"]["ScriptLocation"]
    assert given["--py-files"] == glue["DefaultArguments"]["--extra-py-files"]
    assert given["--archives"] == f"{glue['DefaultArguments']['--python-virtual-env']}#environment"
    of_emr = [one for one in given["--jars"].split(",") if one.startswith("s3://")]
    of_glue = glue["DefaultArguments"]["--extra-jars"].split(",")
    for jars, fetched in zip((of_emr, of_glue), JARS, strict=True):
        assert jars == [
            f"s3://{GIVEN['ArtifactBucket']}/candlelake-1/{name}" for name in (fetched, LOG_STORE)
        ]
    assert all("=" in value for name, value in pairwise(options) if name == "--conf")


def test_jobs_of_glue_differ_in_what_they_do_alone() -> None:
    jobs = [
        {**one, **one["DefaultArguments"], "DefaultArguments": ""}
        for one in Template("spark").of_type("Glue::Job").values()
    ]

    differ = {key for one in jobs for key in one if any(one[key] != each[key] for each in jobs)}

    assert differ == {"Name", "Description", "Timeout", "--command"}


def test_the_state_machine_knows_every_word_that_the_timetables_say() -> None:
    states = definition()["States"]
    jobs = {one["Name"]: name for name, one in Template("spark").of_type("Glue::Job").items()}

    for engine in ("emr", "glue"):
        template = Template("spark", {"RefineOn": engine, "LevelsSchedule": "rate(1 hour)"})
        said = [
            json.loads(one["Target"]["Input"])
            for one in template.of_type("Scheduler::Schedule").values()
        ]
        assert {one["work"] for one in said} == GLUE.keys()
        for one in said:
            assert one.keys() == {"work", "on", "at"}
            assert one["at"] == "<aws.scheduler.scheduled-time>"
            reached = walked(states, one)
            if one["on"] == "emr":
                assert reached == [f"{one['work'].title()}OnEmr", "OnEmr"]
            else:
                (state,) = reached
                assert jobs[states[state]["Parameters"]["JobName"]] == GLUE[one["work"]]
    assert states["Check"]["Parameters"]["Arguments"] == {"--at.$": "$.at"}


def test_the_state_machine_has_no_way_to_nowhere_and_no_state_without_a_way_to_it() -> None:
    asked = definition()
    states = asked["States"]

    ways = [asked["StartAt"]]
    for state in states.values():
        ways += [one["Next"] for one in [state, *state.get("Choices", [])] if "Next" in one]
        ways += [state["Default"]] if "Default" in state else []

    assert set(ways) == states.keys()


def walked(states: dict[str, Any], said: dict[str, str]) -> list[str]:
    """Return the states that an input leads to, choices left out, until a job has run."""
    passed, here = [], "Work"
    while states[here]["Type"] != "Task":
        state = states[here]
        if state["Type"] == "Choice":
            chosen = (
                one["Next"]
                for one in state["Choices"]
                if said[one["Variable"].removeprefix("$.")] == one["StringEquals"]
            )
            here = next(chosen, state["Default"])
        else:
            passed.append(here)
            here = state["Next"]
    return [*passed, here]


def test_levels_are_looked_at_only_where_somebody_says_when() -> None:
    asked = {"LevelsSchedule": "cron(40 * * * ? *)"}

    assert "LevelsTimetable" not in Template("spark").of_type("Scheduler::Schedule")
    found = Template("spark", asked).of_type("Scheduler::Schedule")["LevelsTimetable"]
    assert found["ScheduleExpression"] == asked["LevelsSchedule"]
    spark = Template("main", asked).of_type("CloudFormation::Stack")["Spark"]
    assert spark["Parameters"]["LevelsSchedule"] == asked["LevelsSchedule"]
