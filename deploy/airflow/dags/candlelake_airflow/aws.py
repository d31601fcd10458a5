"""Spark jobs of ours on EMR Serverless and on Glue; while one runs, no worker waits for it."""

# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.operators.emr import EmrServerlessStartJobOperator
from airflow.providers.amazon.aws.operators.glue import GlueJobOperator
from airflow.sdk.exceptions import AirflowException, TaskDeferred

from candlelake_airflow.outcomes import failure_at_aws
from candlelake_airflow.settings import EmrServerless, Glue

#: EMR ends a run that lasts longer; the operator's own patience would be 25 minutes.
MOST_MINUTES = 360
RUN = "job_run"


class _ToldByAws:
    """What both operators do when a run has failed: ask AWS why, and judge by that."""

    job: str

    def why(self, run: str) -> str:
        """Return what AWS says of a run."""
        raise NotImplementedError

    def resume_execution(self, next_method: str, next_kwargs: Any, context: Any) -> Any:
        """Take the task up again when the run has ended, however it has.

        Raises:
            AirflowFailException: trying again would give the same; AirflowException: it may pass.
        """
        event = (next_kwargs or {}).get("event")
        task = context["ti"]
        run = task.xcom_pull(task_ids=task.task_id, key=RUN)
        if run and event is not None and event.get("status") != "success":
            # what the operators do with it says nothing of the reason
            raise failure_at_aws(self.job, run, self.why(run))
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowException as error:
            if not run:
                raise
            raise failure_at_aws(self.job, run, self.why(run)) from error


class EmrServerlessJobOperator(_ToldByAws, EmrServerlessStartJobOperator):
    """Starts run_job.py of the package with the name and the words of ours on an application.

    Args:
        job: the name of ours.
        words: of its command line, templated; one that comes out empty is left out.
        where: the application.
    """

    template_fields: Sequence[str] = (*EmrServerlessStartJobOperator.template_fields, "words")

    def __init__(
        self, *, job: str, words: Sequence[str], where: EmrServerless, **task: Any
    ) -> None:
        super().__init__(
            application_id=where.application_id,
            execution_role_arn=where.execution_role_arn,
            job_driver={},
            configuration_overrides=_logs(where.log_uri),
            name=f"candlelake-{job}",
            config={"executionTimeoutMinutes": MOST_MINUTES},
            deferrable=True,
            waiter_delay=where.poll_seconds,
            waiter_max_attempts=_polls(where.poll_seconds),
            **task,
        )
        self.job = job
        self.words = list(words)
        self.where = where

    def execute(self, context: Any, event: Any = None) -> Any:
        """Start the job with the words as they are now known, and wait deferred."""
        submit: dict[str, Any] = {
            "entryPoint": f"{self.where.code.rstrip('/')}/run_job.py",
            "entryPointArguments": _words(self.job, self.words),
        }
        if self.where.submit_parameters:
            submit["sparkSubmitParameters"] = self.where.submit_parameters
        self.job_driver = {"sparkSubmit": submit}
        try:
            return super().execute(context, event)
        except TaskDeferred:
            if self.job_id:
                context["ti"].xcom_push(key=RUN, value=self.job_id)
            raise

    def why(self, run: str) -> str:
        """Return the state of the run, and what EMR Serverless adds to it."""
        answer = self.hook.conn.get_job_run(applicationId=self.application_id, jobRunId=run)
        return (
            f"{answer['jobRun']['state']}: {answer['jobRun'].get('stateDetails') or 'no details'}"
        )


class GlueRunOperator(_ToldByAws, GlueJobOperator):
    """Starts a Glue job that there is, with the words of ours in one argument.

    Args:
        job: the name of ours.
        words: of its command line, templated; one that comes out empty is left out.
        where: the Glue job.
    """

    template_fields: Sequence[str] = (*GlueJobOperator.template_fields, "words")

    def __init__(self, *, job: str, words: Sequence[str], where: Glue, **task: Any) -> None:
        super().__init__(
            job_name=where.job_name.replace("{job}", job),
            script_args={},
            deferrable=True,
            waiter_delay=where.poll_seconds,
            waiter_max_attempts=_polls(where.poll_seconds),
            **task,
        )
        self.job = job
        self.words = list(words)
        self.where = where

    def execute(self, context: Any) -> Any:
        """Start the run with the words as they are now known, and wait deferred."""
        self.script_args = {"--command": shlex.join(_words(self.job, self.words))}
        try:
            return super().execute(context)
        except TaskDeferred:
            context["ti"].xcom_push(key=RUN, value=self._job_run_id)
            raise

    def why(self, run: str) -> str:
        """Return the state of the run, and what Glue adds to it."""
        answer = self.hook.conn.get_job_run(JobName=self.job_name, RunId=run)["JobRun"]
        return f"{answer['JobRunState']}: {answer.get('ErrorMessage') or 'no details'}"


def _polls(every_seconds: int) -> int:
    """Return how often a run is looked at until it has ended, or has been ended."""
    return (MOST_MINUTES + 10) * 60 // every_seconds


def _words(job: str, words: Sequence[str]) -> list[str]:
    return [job, *(word for word in words if word)]


def _logs(uri: str) -> dict[str, Any] | None:
    if not uri:
        return None
    return {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": uri}}}
