"""Run by Airflow's own Python: tells in JSON what becomes of a run that failed at AWS.

Standard input: {"job": ..., "run": ..., "why": ...}.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import os
import sys

sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])

from candlelake_airflow.outcomes import failure_at_aws

error = failure_at_aws(**json.load(sys.stdin))
print(json.dumps({"raised": type(error).__name__, "text": str(error)}))  # noqa: T201 - its answer
