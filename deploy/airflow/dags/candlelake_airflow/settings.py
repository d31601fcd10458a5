"""Where the DAGs run our commands: the Airflow Variable `candlelake`, one JSON object.

Set it in Airflow (Admin, Variables), in its secrets backend, or as AIRFLOW_VAR_CANDLELAKE in the
environment. What it does not name has the value of `DagSettings`.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from airflow.sdk import Variable

VARIABLE = "candlelake"
#: The checkout whose folder deploy/airflow/dags this is.
CHECKOUT = Path(__file__).parents[4]
#: Before it no DAG has a run; the bundled day is behind it.
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)

RunOn = Literal["machine", "emr-serverless", "glue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmrServerless:
    """An application of EMR Serverless, and where it finds our code.

    Attributes:
        application_id: of the application.
        execution_role_arn: the role that jobs run with.
        code: the address below which run_job.py lies, such as s3://bucket/candlelake.
        submit_parameters: of spark-submit: the packed code, the environment, the jars.
        log_uri: where the logs go; empty: where the application sends them.
        poll_seconds: between two looks at a run.
    """

    application_id: str
    execution_role_arn: str
    code: str
    submit_parameters: str = ""
    log_uri: str = ""
    poll_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Glue:
    """The Glue jobs that run ours: their script is run_job.py, told what to run by --command.

    Attributes:
        job_name: of the Glue job; `{job}` in it stands for the name of ours.
        poll_seconds: between two looks at a run.
    """

    job_name: str
    poll_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class DagSettings:
    """The settings of the DAGs.

    Attributes:
        run_on: what runs Spark jobs: spark-submit on the worker's machine, EMR Serverless, Glue.
        checkout: the checkout on the workers' machines, set up by ./spark-submit.sh.
        master: of spark-submit, such as spark://host:7077; empty: the worker's own machine.
        env: replay, local or aws, as of every command.
        sets: settings of the commands, path to value; no secrets, for commands show them.
        exchanges: whose universe is loaded and collected; each has a pool candlelake_NAME.
        first_day: from which the daily load makes up for each day that Airflow missed; None: it
            loads the newest day alone.
        publish: whether the daily load ends with publishing to the serving database.
        region: of the collectors, kept in each envelope; empty: as in the commands' settings.
    """

    run_on: RunOn = "machine"
    checkout: str = str(CHECKOUT)
    master: str = ""
    env: str = "replay"
    sets: Mapping[str, str] = field(default_factory=dict)
    exchanges: tuple[str, ...] = ("binance",)
    first_day: datetime | None = None
    publish: bool = False
    region: str = ""
    emr_serverless: EmrServerless | None = None
    glue: Glue | None = None


def load() -> DagSettings:
    """Return the settings that the Variable names.

    Raises:
        ValueError: it names what is no setting, or lacks what another one wants; Airflow shows it
            as the import error of each DAG.
    """
    return understood(Variable.get(VARIABLE, default={}, deserialize_json=True))


def understood(values: Mapping[str, Any]) -> DagSettings:
    """Return these values as settings.

    Raises:
        ValueError: as `load`.
    """
    values = dict(_known(values, DagSettings, ""))
    for name, kind in (("emr_serverless", EmrServerless), ("glue", Glue)):
        if values.get(name) is not None:
            values[name] = kind(**_known(values[name], kind, f"{name}."))
    if "exchanges" in values:
        values["exchanges"] = tuple(values["exchanges"])
    if values.get("first_day"):
        values["first_day"] = _day(values["first_day"])
    return _required(DagSettings(**values))


def _required(settings: DagSettings) -> DagSettings:
    """Return the settings where they fit one another.

    Raises:
        ValueError: they don't.
    """
    if settings.run_on not in get_args(RunOn):
        known = ", ".join(get_args(RunOn))
        raise _wrong(f"run_on is one of {known}, was '{settings.run_on}'")
    needed = settings.run_on.replace("-", "_")
    if needed != "machine" and getattr(settings, needed) is None:
        raise _wrong(f"run_on is {settings.run_on}, and {needed} is not set")
    if not settings.exchanges:
        raise _wrong("exchanges names none")
    return settings


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise _wrong(f"first_day is a day such as 2026-11-01, was '{text}'") from error


def _known(values: Mapping[str, Any], kind: type, path: str) -> Mapping[str, Any]:
    """Return the values where they are those of the dataclass.

    Raises:
        ValueError: one is not, or one that it needs is left out.
    """
    names = {
        one.name: one.default is MISSING and one.default_factory is MISSING for one in fields(kind)
    }
    for name in values:
        if name not in names:
            raise _wrong(f"'{path}{name}' is no setting; there are {', '.join(sorted(names))}")
    for name, is_needed in names.items():
        if is_needed and not values.get(name):
            raise _wrong(f"'{path}{name}' is not set")
    return values


def _wrong(what: str) -> ValueError:
    return ValueError(f"The Airflow Variable {VARIABLE}: {what}. docs/airflow.md has them all.")
