"""Each DAG loads, has the tasks that it should, and its commands are commands of ours."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.airflow_here import DAGS, ROOT, Airflow
from tests.airflow.our_parsers import parsed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MOMENT = "2024-01-02T00:20:00+00:00"
WINDOW = {"start": "2024-01-01T00:00:00Z", "end": "2024-01-01T01:00:00Z"}
BACK_FILL = {**WINDOW, "kind": "spot", "instruments": "BTCUSDT,ETHUSDT"}
GIVEN = {"moment": MOMENT, "params": {"candlelake_back_fill_binance": BACK_FILL}}
BOTH = {"exchanges": ["binance", "deribit"], "sets": {"lake.root": "data/a lake"}}
#: Of each DAG: when it runs, in UTC, and how many runs of it there may be at once.
PLANNED = {
    "candlelake_daily_load": ("20 0 * * *", 1),
    "candlelake_live": ("0 * * * *", 3),
    "candlelake_reconcile_stream": ("*/10 * * * *", 1),
    "candlelake_reconcile_daily": ("30 4 * * *", 1),
    "candlelake_back_fill_binance": (None, 1),
    "candlelake_back_fill_deribit": (None, 1),
    "candlelake_maintenance": ("10 2 * * *", 1),
}
#: The tasks of each DAG, and which come before.
TASKS = {
    "candlelake_daily_load": {
        "extract_binance": [],
        "extract_deribit": [],
        "refine": ["extract_binance", "extract_deribit"],
        "certify": ["refine"],
    },
    "candlelake_live": {"collect_binance": [], "collect_deribit": []},
    "candlelake_reconcile_stream": {"reconcile_binance": [], "reconcile_deribit": []},
    "candlelake_reconcile_daily": {"reconcile_binance": [], "reconcile_deribit": []},
    "candlelake_back_fill_binance": {
        "plan": [],
        "extract": ["plan"],
        "refine": ["extract"],
        "check": ["refine"],
    },
    "candlelake_maintenance": {"maintain": []},
}


@pytest.fixture(scope="module")
def told(home: Path) -> Any:
    return Airflow(home, BOTH).python("loading.py", given=GIVEN)


@pytest.fixture(scope="module")
def tasks(told: Any) -> dict[str, Any]:
    """All tasks, under the name of their DAG and their own."""
    return {
        f"{name}.{task_id}": task
        for name, dag in told["dags"].items()
        for task_id, task in dag["tasks"].items()
    }


def test_every_dag_loads_without_an_error_and_without_a_warning(told: Any) -> None:
    assert (told["errors"], told["warnings"], told["captured"]) == ({}, [], {})
    assert set(told["dags"]) == set(PLANNED)


def test_each_dag_runs_when_it_should_in_utc_and_makes_up_for_nothing(told: Any) -> None:
    for name, (cron, runs) in PLANNED.items():
        dag = told["dags"][name]
        assert (dag["cron"], dag["zone"], dag["runs"]) == (cron, "UTC", runs), name
        assert (dag["catchup"], dag["start"]) == (False, "2024-01-01T00:00:00+00:00"), name
        assert len(dag["document"].splitlines()) > 3, name


def test_each_dag_has_its_tasks_in_their_order(told: Any) -> None:
    for name, expected in TASKS.items():
        found = {key: task["after"] for key, task in told["dags"][name]["tasks"].items()}
        assert found == expected, name


def test_checks_run_one_after_the_other_as_each_writes_the_certificates(told: Any) -> None:
    for name in ("candlelake_reconcile_stream", "candlelake_reconcile_daily"):
        assert told["dags"][name]["abreast"] == 1


def test_every_command_is_one_that_our_own_parsers_take(tasks: dict[str, Any]) -> None:
    for name, task in tasks.items():
        options = parsed(task["program"], task["words"])
        assert options["env"] == "replay", name
        assert "lake.root=data/a lake" in options["sets"], name


def test_the_daily_load_is_of_the_utc_day_before_its_run(tasks: dict[str, Any]) -> None:
    window = "--start 2024-01-01T00:00:00Z --end 2024-01-02T00:00:00Z"

    for name, expected in {
        "extract_binance": f"extract {window} --yes --exchange binance",
        "extract_deribit": f"extract {window} --yes --exchange deribit",
        "refine": "pipeline --datasets index_prices --env replay",
        "certify": f"reconcile --check bars {window}",
    }.items():
        words = tasks[f"candlelake_daily_load.{name}"]["words"]
        assert " ".join(words).startswith(expected), name


def test_a_check_is_of_the_moment_for_which_its_run_was_planned(tasks: dict[str, Any]) -> None:
    for kind in ("stream", "daily"):
        words = tasks[f"candlelake_reconcile_{kind}.reconcile_deribit"]["words"]
        expected = ["reconcile", "--check", kind, "--at", "2024-01-02T00:20:00Z"]
        assert words[:7] == [*expected, "--exchange", "deribit"]


def test_a_collector_outlives_its_hour(tasks: dict[str, Any]) -> None:
    words = tasks["candlelake_live.collect_binance"]["words"]

    assert words[:4] == ["extract", "live", "--lifetime=1h", "--overlap=2m"]
    assert tasks["candlelake_live.collect_binance"]["timeout"] > 62 * 60


def test_a_back_fill_takes_what_a_person_named_and_checks_just_that(tasks: dict[str, Any]) -> None:
    named = "--start=2024-01-01T00:00:00Z --end=2024-01-01T01:00:00Z"
    part = "--kind=spot --instruments=BTCUSDT,ETHUSDT"

    for task, expected in {
        "plan": f"plan {named} {part} --source=rest --exchange binance",
        "extract": f"extract --yes {named} {part} --source=rest --exchange binance",
        "check": f"reconcile --check bars {named} --exchange binance {part}",
    }.items():
        words = tasks[f"candlelake_back_fill_binance.{task}"]["words"]
        assert " ".join(words).startswith(expected)


def test_a_back_fill_wants_a_start_and_an_end(told: Any) -> None:
    params = told["dags"]["candlelake_back_fill_binance"]["params"]

    for name in ("start", "end"):
        assert params[name]["schema"]["format"] == "date-time"
        assert params[name]["value"] is None
    assert params["source"]["schema"]["enum"] == ["rest", "archive", "auto"]


def test_maintenance_is_of_the_week_before(tasks: dict[str, Any]) -> None:
    words = tasks["candlelake_maintenance.maintain"]["words"]

    assert words[:3] == [
        "maintain",
        "--start=2023-12-26T00:00:00Z",
        "--end=2024-01-02T00:00:00Z",
    ]


def test_what_runs_side_by_side_never_asks_for_more_than_the_exchange_allows(
    tasks: dict[str, Any],
) -> None:
    """A task asks for the percent of its slots, and all DAGs together fit into the pool."""
    pools = json.loads((ROOT / "deploy" / "airflow" / "pools.json").read_text(encoding="utf-8"))
    asking = {name: task for name, task in tasks.items() if task["pool"] != "candlelake_lake"}
    assert {task["pool"] for task in tasks.values()} == set(pools)
    for name, task in asking.items():
        share = f"extract.limit_share=0.{task['slots']:02}"
        assert share in parsed(task["program"], task["words"])["sets"], name
        assert task["pool"].removeprefix("candlelake_") in task["words"], name
    collect, load, fill, check = (
        tasks[f"candlelake_{name}"]["slots"]
        for name in (
            "live.collect_binance",
            "daily_load.extract_binance",
            "back_fill_binance.extract",
            "reconcile_stream.reconcile_binance",
        )
    )
    assert 2 * collect + load + fill + check == pools["candlelake_binance"]["slots"] == 95
    assert pools["candlelake_lake"]["slots"] == 1


def test_every_task_is_tried_again_and_told_of_when_it_has_failed(tasks: dict[str, Any]) -> None:
    for name, task in tasks.items():
        assert task["retries"] >= 2, name
        assert task["alerts"], name


def loaded(home: Path, **settings: Any) -> Any:
    """Return what loads with other settings."""
    return Airflow(home, settings).python("loading.py", given=GIVEN)


def test_spark_runs_on_a_cluster_where_a_master_is_named(home: Path) -> None:
    dags = loaded(home, master="spark://h:7077")["dags"]

    daily = dags["candlelake_daily_load"]["tasks"]
    assert daily["refine"]["variables"] == {"SPARK_MASTER": "spark://h:7077"}
    assert daily["extract_binance"]["variables"] == {}


EMR = {"application_id": "a", "execution_role_arn": "r", "code": "s3://bucket/jobs"}


@pytest.mark.parametrize(
    ("settings", "operator"),
    [
        ({"run_on": "emr-serverless", "emr_serverless": EMR}, "EmrServerlessJobOperator"),
        ({"run_on": "glue", "glue": {"job_name": "candlelake-{job}"}}, "GlueRunOperator"),
    ],
    ids=["emr-serverless", "glue"],
)
def test_spark_runs_at_aws_where_the_settings_say_so_and_no_worker_waits(
    home: Path, settings: dict[str, Any], operator: str
) -> None:
    told = loaded(home, env="aws", **settings)

    assert (told["errors"], told["warnings"]) == ({}, [])
    for dag in told["dags"].values():
        for name, task in dag["tasks"].items():
            is_spark = name.startswith(("refine", "certify", "check", "maintain", "reconcile"))
            assert (task["type"] == operator) == is_spark, name
            assert task["deferrable"] == is_spark, name


def test_days_that_airflow_missed_are_loaded_from_the_first_day_that_is_named(home: Path) -> None:
    dags = loaded(home, first_day="2026-11-01", publish=True)["dags"]

    daily = dags["candlelake_daily_load"]
    assert (daily["catchup"], daily["start"]) == (True, "2026-11-01T00:00:00+00:00")
    assert daily["tasks"]["publish"]["after"] == ["certify"]
    assert [name for name, dag in dags.items() if dag["catchup"]] == ["candlelake_daily_load"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"run_in": "glue"}, "'run_in' is no setting; there are checkout, emr_serverless,"),
        ({"run_on": "emr"}, "run_on is one of machine, emr-serverless, glue, was 'emr'"),
        ({"run_on": "glue"}, "run_on is glue, and glue is not set"),
        ({"run_on": "glue", "glue": {"jobname": "x"}}, "'glue.jobname' is no setting"),
        ({"emr_serverless": {"code": "s3://b"}}, "'emr_serverless.application_id' is not set"),
        ({"first_day": "yesterday"}, "first_day is a day such as 2026-11-01, was 'yesterday'"),
        ({"exchanges": []}, "exchanges names none"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_told_in_the_list_of_dags(
    home: Path, settings: dict[str, Any], said: str
) -> None:
    errors = loaded(home, **settings)["errors"]

    assert len(errors) == len(list(DAGS.glob("candlelake_*.py")))
    for text in errors.values():
        assert f"The Airflow Variable candlelake: {said}" in text
        assert "docs/airflow.md has them all" in text


def test_the_parsers_refuse_what_our_commands_do() -> None:
    """Else the test of all commands would say nothing."""
    for program, words in (
        ("spark-submit.sh", ["reconcile", "--chek", "bars"]),
        ("spark-submit.sh", ["reconcile", "--check", "weekly"]),
        (".venv/bin/candlelake", ["extract", "live", "--lifetim=1h"]),
        (".venv/bin/candlelake", ["extrakt"]),
    ):
        with pytest.raises(Exception, match=r"(No such|is not one of)"):
            parsed(program, words)


def test_the_document_names_each_dag_and_each_setting() -> None:
    text = (ROOT / "docs" / "airflow.md").read_text(encoding="utf-8")
    tree = ast.parse((DAGS / "candlelake_airflow" / "settings.py").read_text(encoding="utf-8"))
    settings = {
        line.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    }

    assert len(settings) > 15
    assert {name for name in settings if f"`{name}`" not in text} == set()
    dags = {name.removeprefix("candlelake_").replace("_binance", "_EXCHANGE") for name in PLANNED}
    assert {name for name in dags if f"| `{name}` |" not in text} == {"back_fill_deribit"}
