"""The UTC day before: from the exchanges to certified candles.

Each exchange is asked for its day; what has landed goes to silver and gold; then the day's candles
are held against the exchange's own bars. A run that is started again adds nothing: what is held is
not asked for. A day that Airflow missed is made up for where `first_day` is set; else a back-fill
does it.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import LAKE_POOL, REFINE, Share, command, spark_job
from candlelake_airflow.settings import FIRST_DAY, load
from candlelake_airflow.windows import of_day

#: Percent of an exchange's limit.
PERCENT = 30

settings = load()
with our_dag(
    "daily_load",
    __doc__,
    cron="20 0 * * *",
    start_date=settings.first_day or FIRST_DAY,
    catchup=settings.first_day is not None,
) as dag:
    shares = [Share(exchange, PERCENT) for exchange in settings.exchanges]
    extracts = [
        command(
            settings,
            *("extract", *of_day(), "--yes", *share.words),
            task_id=f"extract_{share.exchange}",
            **share.slots,
        )
        for share in shares
    ]
    refine = spark_job(settings, *REFINE, task_id="refine", pool=LAKE_POOL)
    bars = ("reconcile", "--check", "bars", *of_day())
    certify = spark_job(settings, *bars, task_id="certify", pool=LAKE_POOL)
    extracts >> refine >> certify
    if settings.publish:
        certify >> spark_job(settings, "publish", task_id="publish", pool=LAKE_POOL)
