"""How a job becomes a program: options, exit codes, and one clear line for a foreseen fault."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from jobs.faults import of_spark
from lake.errors import CandlelakeError
from lake.log import configure_logging

INTERRUPTED = 130


def run_job(command: Callable[..., Any]) -> None:
    """Run one typer command as this process and exit with the code of its outcome."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    sys.exit(exit_code_of(app))


def _keep_stderr_apart() -> None:
    """Part errors from answers again: spark-submit joins Python's two streams into one."""
    stderr = Path(f"/proc/{os.getppid()}/fd/2")
    if "PYSPARK_GATEWAY_PORT" in os.environ and stderr.exists():
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_APPEND), 2)


def exit_code_of(app: typer.Typer) -> int:
    """Run the application; return 0, or the exit code of the error, said in one line on stderr."""
    _keep_stderr_apart()
    configure_logging()
    try:
        app(standalone_mode=True)
    except CandlelakeError as error:
        print(f"candlelake: {error}", file=sys.stderr)
        return error.exit_code
    except (PySparkException, Py4JError) as error:
        fault = of_spark(error, "Spark")
        print(f"candlelake: {fault}", file=sys.stderr)
        return fault.exit_code
    except SystemExit as stop:
        # typer turns an interrupt into an exit of its own, without a word
        if stop.code == INTERRUPTED:
            print("candlelake: interrupted; run again: it goes on", file=sys.stderr)
        return stop.code if isinstance(stop.code, int) else 1
    return 0
