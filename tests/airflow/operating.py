"""Run by Airflow's own Python: executes our operator once, and tells in JSON how that ended.

Standard input: {"checkout": ..., "program": ..., "words": [...], "kill_after_seconds": ...}.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])

from candlelake_airflow.command import CommandOperator


def ended(given: dict[str, Any]) -> dict[str, Any]:
    """Execute the operator; return what it returned or raised, and after how many seconds."""
    operator = CommandOperator(
        task_id="task",
        program=given["program"],
        words=given["words"],
        checkout=given["checkout"],
        variables={"SPARK_MASTER": "spark://h:7077"},
    )
    if given["kill_after_seconds"] is not None:
        threading.Timer(given["kill_after_seconds"], operator.on_kill).start()
    began = time.monotonic()
    try:
        told = {"returned": operator.execute({})}
    except Exception as error:  # noqa: BLE001 - what it raises is what is asked for
        told = {"raised": type(error).__name__, "text": str(error)}
    return {**told, "seconds": time.monotonic() - began}


print(json.dumps(ended(json.load(sys.stdin))))  # noqa: T201 - this is how it answers
