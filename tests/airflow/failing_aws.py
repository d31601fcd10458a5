"""Run by moto's own Python: its server, whose job runs of EMR Serverless all fail of our gate.

    failing_aws.py PORT

moto lets every run succeed, and has no order for another end.
"""

# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

import sys
from typing import Any

from moto.emrserverless import models
from moto.server import main

DETAILS = "Job failed, please check complete logs in configured logging destination. ExitCode: 3."


made = models.JobRun.__init__


def made_to_fail(run: Any, *values: Any, **named: Any) -> None:
    """Make a run that has ended with our exit code 3, as EMR Serverless words it."""
    made(run, *values, **named)
    run.state, run.state_details = "FAILED", DETAILS


models.JobRun.__init__ = made_to_fail
main(["--host", "127.0.0.1", "--port", sys.argv[1]])
