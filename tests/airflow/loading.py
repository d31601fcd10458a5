"""Run by Airflow's own Python: loads all DAGs and tells in JSON what is in them.

Standard input says how templates are to be filled in: {"moment": ..., "params": {dag: {...}}}.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import os
import sys
import warnings
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.execution_time.context import MacrosAccessor

#: Airflow 3.3.2 reads .airflowignore with a class that its library calls outdated.
OF_AIRFLOW = "GitWildMatchPattern"


def filled(dag: Any, task: Any, given: dict[str, Any]) -> list[str]:
    """Return the words of a task as they are when it runs, those left out that come out empty."""
    params = {**dag.params.dump(), **given["params"].get(dag.dag_id, {})}
    moment = datetime.fromisoformat(given["moment"])
    run = SimpleNamespace(logical_date=moment, run_after=moment)
    context = {"dag_run": run, "params": params, "macros": MacrosAccessor()}
    words = task.render_template(task.words, context, dag.get_template_env())
    return [word for word in words if word]


def told_of_task(dag: Any, task: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a task is."""
    return {
        "type": type(task).__name__,
        "program": getattr(task, "program", getattr(task, "job", "")),
        "words": filled(dag, task, given),
        "after": sorted(task.upstream_task_ids),
        "pool": task.pool,
        "slots": task.pool_slots,
        "retries": task.retries,
        "alerts": bool(task.on_failure_callback),
        "variables": getattr(task, "variables", {}),
        "deferrable": getattr(task, "deferrable", False),
        "timeout": task.execution_timeout.total_seconds(),
    }


def told_of_param(param: Any) -> dict[str, Any]:
    """Return what a person may name, and what holds where they name nothing."""
    return {"schema": param.schema, "value": param.value if param.has_value else None}


def told_of_dag(dag: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Return what a DAG is."""
    return {
        "cron": getattr(dag.timetable, "expression", None),
        "zone": str(dag.timezone.name),
        "catchup": dag.catchup,
        "runs": dag.max_active_runs,
        "abreast": dag.max_active_tasks,
        "start": dag.start_date.isoformat(),
        "params": {name: told_of_param(dag.params.get_param(name)) for name in dag.params},
        "document": dag.doc_md,
        "tasks": {task.task_id: told_of_task(dag, task, given) for task in dag.tasks},
    }


def main() -> None:
    """Load and tell."""
    given, folder = json.load(sys.stdin), os.environ["AIRFLOW__CORE__DAGS_FOLDER"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bag = BundleDagBag(dag_folder=folder, bundle_path=Path(folder), bundle_name="dags-folder")
    told = {
        "errors": bag.import_errors,
        "warnings": [str(one.message) for one in caught if OF_AIRFLOW not in str(one.message)],
        "captured": {name: list(map(str, ones)) for name, ones in bag.captured_warnings.items()},
        "dags": {name: told_of_dag(dag, given) for name, dag in sorted(bag.dags.items())},
    }
    print(json.dumps(told))  # noqa: T201 - this is how it answers


main()
