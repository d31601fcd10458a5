"""Each day: what was streamed the UTC day before, against REST and the exchange's archive.

It looks for gaps and for instruments of which nothing came as well. A difference that nothing
explains fails the run, and the message says where its certificate is. A day that Airflow missed is
looked at by starting a run for it by hand.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import Share, spark_job
from candlelake_airflow.settings import load
from candlelake_airflow.windows import MOMENT

#: Percent of an exchange's limit.
PERCENT = 15

settings = load()
# one after the other: each writes the certificates
with our_dag("reconcile_daily", __doc__, cron="30 4 * * *", max_active_tasks=1) as dag:
    for exchange in settings.exchanges:
        share = Share(exchange, PERCENT)
        spark_job(
            settings,
            *("reconcile", "--check", "daily", "--at", MOMENT, *share.words),
            task_id=f"reconcile_{exchange}",
            **share.slots,
        )
