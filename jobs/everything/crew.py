"""Processes that belong together: started in order, again where one dies, and ended together."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import IO

from lake.errors import CandlelakeError

log = logging.getLogger(__name__)

#: A part that dies so often within so many seconds is not started again.
DEATHS, WITHIN_SECONDS = 5, 600
LONGEST_PAUSE_SECONDS = 30
#: A pipeline writes what it is at to its end.
PATIENCE_SECONDS = 120
LOOK_SECONDS = 0.2


@dataclass(slots=True)
class Part:
    """One process of the crew.

    Attributes:
        name: stands before each of its lines on standard error.
        command: what is run.
        ready: tells whether the next part may start; asked until it says so.
        environment: what its environment has beside ours.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    death_seconds: list[float] = field(default_factory=list)
    again_seconds: float = 0
    said: deque[str] = field(default_factory=lambda: deque(maxlen=3))
    reader: Thread | None = None


def run(parts: Sequence[Part], stopping: Event, seconds: float | None = None) -> None:
    """Keep all parts running until `stopping` is set or the time is over, then end them.

    They end in the reverse order of their start, each by SIGTERM to its own group of processes.

    Raises:
        CandlelakeError: a part was configured wrongly, or died again and again; all were ended.
    """
    ends = None if seconds is None else time.monotonic() + seconds
    try:
        for part in parts:
            _start(part)
            _await_ready(part, stopping)
        while not stopping.wait(LOOK_SECONDS) and (ends is None or time.monotonic() < ends):
            for part in parts:
                _look_after(part)
    finally:
        for part in reversed(parts):
            _end(part)


def _await_ready(part: Part, stopping: Event) -> None:
    while not part.ready() and not stopping.wait(LOOK_SECONDS):
        _look_after(part)


def _start(part: Part) -> None:
    # a session of its own: an interrupt at the terminal is the crew's, which then ends each part
    part.process = subprocess.Popen(
        part.command,
        env={**os.environ, **part.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert part.process.stdout is not None  # noqa: S101 - a pipe was asked for
    part.reader = Thread(target=_tell, args=(part, part.process.stdout), daemon=True)
    part.reader.start()
    log.info("%s started process=%d", part.name, part.process.pid)


def _tell(part: Part, lines: IO[bytes]) -> None:
    with lines:
        for raw in lines:
            line = raw.decode(errors="replace").rstrip()
            part.said.append(line)
            print(f"{part.name} | {line}", file=sys.stderr, flush=True)


def _look_after(part: Part) -> None:
    now = time.monotonic()
    if part.process is None:
        if now >= part.again_seconds:
            _start(part)
        return
    code = part.process.poll()
    if code is None:
        return
    if part.reader is not None:
        part.reader.join(1)
    part.process = None
    part.death_seconds = [at for at in part.death_seconds if at > now - WITHIN_SECONDS] + [now]
    if code == 2 or len(part.death_seconds) >= DEATHS:
        raise CandlelakeError(
            f"{part.name} ended with exit code {code}"
            + (
                f", {len(part.death_seconds)} times in {WITHIN_SECONDS // 60} minutes"
                if code != 2
                else ""
            ),
            where=" / ".join(part.said) or "it said nothing",
            hint="Everything was ended. Mend that and start again: it goes on where it was.",
        )
    pause = min(2.0 ** (len(part.death_seconds) - 1), LONGEST_PAUSE_SECONDS)
    part.again_seconds = now + pause
    log.warning("%s ended code=%d, starts again in %.0f s", part.name, code, pause)


def _end(part: Part) -> None:
    process, part.process = part.process, None
    if process is None:
        return
    _signal(process, signal.SIGTERM)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        log.warning("%s did not end in %d s and was killed", part.name, PATIENCE_SECONDS)
    # what it has started itself, and did not end with it
    _signal(process, signal.SIGKILL)
    process.wait()
    if part.reader is not None:
        part.reader.join(5)


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
