"""The processes of a soak: each with its log and its group, and none left at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CANDLELAKE = "import sys; from jobs.cli import main; sys.exit(main())"
Process = subprocess.Popen[bytes]


class SoakError(Exception):
    """What makes a soak end before its time."""


class Processes:
    """Starts processes on one lake.

    Args:
        log: takes what all of them say.
        sets: the settings of all of them.
        environment: of all of them, beside our own.
    """

    def __init__(self, log: Path, sets: Sequence[str], environment: Mapping[str, str]) -> None:
        self._log = log
        self._sets = sets
        self._environment = {**os.environ, **environment}
        self._started: list[Process] = []
        self._lock = threading.Lock()
        self._is_over = False

    def candlelake(self, words: Sequence[str], *sets: str) -> Process:
        """Start a command of `candlelake`."""
        return self._start([sys.executable, "-c", CANDLELAKE, *words], sets)

    def pipeline(self, *words: str) -> Process:
        """Start the main job."""
        return self._start([sys.executable, "-m", "jobs.pipeline", *words], ())

    def end(self) -> None:
        """Kill what still runs, with all that it has started; nothing starts any more."""
        with self._lock:
            self._is_over = True
            started = list(self._started)
        for process in started:
            kill(process)

    def _start(self, command: Sequence[str], sets: Sequence[str]) -> Process:
        words = [word for one in (*self._sets, *sets) for word in ("--set", one)]
        with self._lock, self._log.open("ab") as log:
            if self._is_over:
                raise SoakError("the soak is over")
            process = subprocess.Popen(
                [*command, *words],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self._started.append(process)
        return process


def kill(process: Process) -> None:
    """Kill a process and its group; nothing happens where it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
