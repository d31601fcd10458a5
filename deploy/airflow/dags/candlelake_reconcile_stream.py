"""Each ten minutes: what was streamed ten to five minutes ago, against REST.

A difference that nothing explains fails the run, and the message says where its certificate is. A
window that Airflow missed is looked at by the daily reconciliation.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from datetime import timedelta

from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import Share, spark_job
from candlelake_airflow.settings import load
from candlelake_airflow.windows import MOMENT

#: Percent of an exchange's limit.
PERCENT = 15

settings = load()
# one after the other: each writes the certificates
with our_dag(
    "reconcile_stream",
    __doc__,
    cron="*/10 * * * *",
    max_active_tasks=1,
    default_args={"retries": 2, "execution_timeout": timedelta(minutes=30)},
) as dag:
    for exchange in settings.exchanges:
        share = Share(exchange, PERCENT)
        spark_job(
            settings,
            *("reconcile", "--check", "stream", "--at", MOMENT, *share.words),
            task_id=f"reconcile_{exchange}",
            **share.slots,
        )
