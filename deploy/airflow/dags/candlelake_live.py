"""Collectors of what the exchanges push, a new one each hour.

Each lives an hour and two minutes: for two minutes there are two, so nothing is lost where one
ends. What comes twice counts once. One that dies is started again, and asks by id for what it
missed. Hours in which Airflow did not run are not made up for: a back-fill does.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Param
from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import Share, command
from candlelake_airflow.settings import load
from candlelake_airflow.windows import given

#: Percent of an exchange's limit; two collectors run side by side.
PERCENT = 10
LENGTH = "^[0-9]+[smhd]$"

settings = load()
with our_dag(
    "live",
    __doc__,
    cron="0 * * * *",
    max_active_runs=3,
    default_args={
        "retries": 10,
        "max_retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=2),
    },
    params={
        "lifetime": Param("1h", type="string", pattern=LENGTH, description="Until the next one."),
        "overlap": Param("2m", type="string", pattern=LENGTH, description="Beside the next one."),
    },
) as dag:
    region = ("--region", settings.region) if settings.region else ()
    lengths = (given("--lifetime", "lifetime"), given("--overlap", "overlap"))
    for exchange in settings.exchanges:
        share = Share(exchange, PERCENT)
        command(
            settings,
            *("extract", "live", *lengths, *region, *share.words),
            task_id=f"collect_{exchange}",
            **share.slots,
        )
