"""What all DAGs have in common: whose they are, how often a task is tried, who hears of it."""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable

from candlelake_airflow.alerts import alert
from candlelake_airflow.settings import FIRST_DAY

DEFAULTS: dict[str, Any] = {
    "owner": "candlelake",
    "retries": 4,
    "retry_delay": timedelta(minutes=2),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=30),
    "execution_timeout": timedelta(hours=6),
    "on_failure_callback": alert,
}


def our_dag(dag_id: str, document: str, *, cron: str | None = None, **options: Any) -> DAG:
    """Return a DAG of ours, planned by a cron expression in UTC, or started by people alone.

    Args:
        dag_id: behind `candlelake_`.
        document: what it does: the docstring of its module, whose first line is its description.
        cron: when, in UTC.
        options: of the DAG, in place of ours.
    """
    options = {"start_date": FIRST_DAY, "catchup": False, "max_active_runs": 1, **options}
    return DAG(
        f"candlelake_{dag_id}",
        schedule=CronTriggerTimetable(cron, timezone="UTC") if cron else None,
        default_args={**DEFAULTS, **options.pop("default_args", {})},
        description=document.splitlines()[0],
        doc_md=document,
        tags=["candlelake"],
        **options,
    )
