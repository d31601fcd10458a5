"""Run by Airflow's own Python: tells of a failed task, and answers in JSON with what was logged.

Standard input: what the task failed of.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import logging
import os
import sys
from types import SimpleNamespace

sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])

from candlelake_airflow import alerts

lines: list[str] = []
handler = logging.Handler()
handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
alerts.log.addHandler(handler)
task = SimpleNamespace(dag_id="a_dag", task_id="a_task", run_id="a_run", log_url="http://log")
alerts.alert({"ti": task, "exception": json.load(sys.stdin)})
print(json.dumps(lines))  # noqa: T201 - this is how it answers
