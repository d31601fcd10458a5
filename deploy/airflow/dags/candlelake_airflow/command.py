"""Runs a command of the checkout as a task: its lines go to the task's log, its code decides."""

# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from candlelake_airflow.outcomes import Told, failure_of

#: Airflow's own: they may hold its secrets, and its packages are not ours.
KEPT_FROM_COMMANDS = ("AIRFLOW", "_AIRFLOW", "PYTHONPATH", "VIRTUAL_ENV")
#: What a command is given to end by itself: a collector lands what it holds in five seconds.
PATIENCE_SECONDS = 30


class CommandOperator(BaseOperator):
    """Runs a program of the checkout with words.

    Args:
        program: below the checkout, such as spark-submit.sh.
        words: of its command line, templated; one that comes out empty is left out.
        checkout: the folder, on the worker's machine.
        variables: of the environment, beside the worker's own.
    """

    template_fields: Sequence[str] = ("words",)
    ui_color = "#e8f1ff"

    def __init__(
        self,
        *,
        program: str,
        words: Sequence[str],
        checkout: str,
        variables: dict[str, str] | None = None,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.program = program
        self.words = list(words)
        self.checkout = checkout
        self.variables = variables or {}
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> str | None:  # noqa: ARG002 - Airflow gives it
        """Run the command; return its last line, which Airflow keeps beside the task.

        Raises:
            AirflowFailException: trying again would give the same; AirflowException: it may pass.
        """
        told = Told()
        with self._started() as process:
            try:
                for line in process.stdout or ():
                    self.log.info("%s", line.rstrip("\n"))
                    told.hear(line.rstrip("\n"))
            except BaseException:
                # a time-out of Airflow's: nothing of the command may go on alone
                self.on_kill()
                raise
        if process.returncode:
            raise failure_of(process.returncode, told)
        return told.last[-1] if told.last else None

    def on_kill(self) -> None:
        """End the command and all that it has started: by itself, or after a while by force."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _started(self) -> subprocess.Popen[str]:
        program = Path(self.checkout) / self.program
        if not program.is_file():
            raise AirflowFailException(
                f"there is no {program}. The Airflow Variable candlelake says where the checkout"
                " is; ./spark-submit.sh pipeline sets it up. docs/airflow.md tells more."
            )
        words = [word for word in self.words if word]
        self.log.info("running %s %s", self.program, " ".join(words))
        self._process = subprocess.Popen(
            [str(program), *words],
            cwd=self.checkout,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        return self._process

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(KEPT_FROM_COMMANDS)
        }
        return {**kept, **self.variables, "PYTHONPATH": self.checkout, "TZ": "UTC"}
