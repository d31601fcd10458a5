"""Each day: the tables' closed days are compacted, and what no table needs any more is removed.

The week before is looked at, so a day that Airflow missed is seen to by the next run. A person may
start it for one table or another window.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from airflow.sdk import Param
from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import LAKE_POOL, spark_job
from candlelake_airflow.settings import load
from candlelake_airflow.windows import given, midnight

DAYS = 7

settings = load()
with our_dag(
    "maintenance",
    __doc__,
    cron="10 2 * * *",
    params={
        "table": Param(None, type=["null", "string"], description="All where it is left out."),
        "start": Param(None, type=["null", "string"], format="date-time"),
        "end": Param(None, type=["null", "string"], format="date-time"),
    },
) as dag:
    spark_job(
        settings,
        "maintain",
        given("--table", "table"),
        given("--start", "start", default=midnight(DAYS)),
        given("--end", "end", default=midnight()),
        task_id="maintain",
        pool=LAKE_POOL,
    )
