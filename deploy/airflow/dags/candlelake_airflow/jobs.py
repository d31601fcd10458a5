"""Makes an operator of a command of ours: here, on a cluster, on EMR Serverless or on Glue.

The DAGs say what runs; where, says the Variable `candlelake` (settings.py).
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from candlelake_airflow.command import CommandOperator
from candlelake_airflow.settings import DagSettings

#: Brings all that has landed to silver and gold, and asks no exchange: what is polled has no
#: window to extract.
REFINE = ("pipeline", "--datasets", "index_prices")
LAKE_POOL = "candlelake_lake"


def command(settings: DagSettings, *words: str, **task: Any) -> CommandOperator:
    """Return a task that runs `candlelake WORDS...` on the worker's machine; it needs no Spark."""
    return CommandOperator(
        program=".venv/bin/candlelake",
        words=[*words, *_common(settings)],
        checkout=settings.checkout,
        **task,
    )


def spark_job(settings: DagSettings, job: str, *words: str, **task: Any) -> Any:
    """Return a task that runs the Spark job where the settings say."""
    words = (*words, *_common(settings))
    if settings.emr_serverless and settings.run_on == "emr-serverless":
        # the packages of AWS where AWS is asked
        from candlelake_airflow.aws import EmrServerlessJobOperator  # noqa: PLC0415

        return EmrServerlessJobOperator(job=job, words=words, where=settings.emr_serverless, **task)
    if settings.glue and settings.run_on == "glue":
        from candlelake_airflow.aws import GlueRunOperator  # noqa: PLC0415 - as above

        return GlueRunOperator(job=job, words=words, where=settings.glue, **task)
    return CommandOperator(
        program="spark-submit.sh",
        words=[job, *words],
        checkout=settings.checkout,
        variables={"SPARK_MASTER": settings.master} if settings.master else {},
        **task,
    )


@dataclass(frozen=True, slots=True)
class Share:
    """What a task may ask of an exchange, in percent of its limit.

    The pool has a slot for each percent, and the command is told to keep within those that its
    task holds: tasks that run side by side never ask for more than the exchange allows.
    """

    exchange: str
    percent: int

    @property
    def words(self) -> tuple[str, ...]:
        """What the command is told."""
        share = f"extract.limit_share=0.{self.percent:02}"
        return ("--exchange", self.exchange, "--set", share)

    @property
    def slots(self) -> dict[str, Any]:
        """What the task takes of the pool."""
        return {"pool": f"candlelake_{self.exchange}", "pool_slots": self.percent}


def _common(settings: DagSettings) -> tuple[str, ...]:
    sets = (word for path, value in settings.sets.items() for word in ("--set", f"{path}={value}"))
    return ("--env", settings.env, *sets)
