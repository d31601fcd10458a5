"""A window of the past that a person names: loaded, brought to gold, and checked at the end.

Start it with a start and an end. The first task says what the load will cost; what is held already
is not asked for. The last one holds the window's candles against the exchange's own bars: a
difference that nothing explains fails the run, and the message says where its certificate is.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from airflow.sdk import Param
from candlelake_airflow.dag import our_dag
from candlelake_airflow.jobs import LAKE_POOL, REFINE, Share, command, spark_job
from candlelake_airflow.settings import load
from candlelake_airflow.windows import given

#: Percent of an exchange's limit.
PERCENT = 30
NAMES = {
    "kind": "The venue's segment, such as spot; all of the universe where it is left out.",
    "instruments": "Names or patterns, parted by commas; wants a kind beside it.",
    "datasets": "Such as agg_trades,klines; what the environment takes where it is left out.",
}
PARAMS = {
    "start": Param(type="string", format="date-time", description="UTC; included."),
    "end": Param(type="string", format="date-time", description="UTC; excluded."),
    "source": Param(
        "rest", enum=["rest", "archive", "auto"], type="string", description="Of trades."
    ),
    **{
        name: Param(None, type=["null", "string"], description=text) for name, text in NAMES.items()
    },
}
WINDOW = (given("--start", "start"), given("--end", "end"))
PART = (given("--kind", "kind"), given("--instruments", "instruments"))

settings = load()
# a DAG for each exchange, as each has a limit, and so a pool, of its own
for exchange in settings.exchanges:
    share = Share(exchange, PERCENT)
    with our_dag(f"back_fill_{exchange}", __doc__, params=PARAMS) as dag:
        how = (given("--source", "source"), given("--datasets", "datasets"))
        asked = (*WINDOW, *PART, *how, *share.words)
        plan = command(settings, "plan", *asked, task_id="plan", **share.slots)
        extract = command(settings, "extract", "--yes", *asked, task_id="extract", **share.slots)
        refine = spark_job(settings, *REFINE, task_id="refine", pool=LAKE_POOL)
        bars = ("reconcile", "--check", "bars", *WINDOW, "--exchange", exchange, *PART)
        check = spark_job(settings, *bars, task_id="check", pool=LAKE_POOL)
        plan >> extract >> refine >> check
