"""Shows how far an extraction is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from lake.clock import Clock

log = logging.getLogger(__name__)

#: How long a run without a terminal is silent, in seconds.
EVERY_SECONDS = 15
#: A rate over less than this says nothing, in milliseconds.
SHORTEST_MS = 500


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a run is.

    Attributes:
        tasks_done: tasks that have ended, of `tasks`.
        rows: rows landed so far.
        rows_planned: how many it will be, 0 where the plan does not know.
        elapsed_ms: since the start.
        weight_percent: how much of the tightest limit is used now, None where nobody counts.
    """

    tasks_done: int
    tasks: int
    rows: int
    rows_planned: int
    elapsed_ms: int
    weight_percent: int | None = None

    @property
    def rows_per_second(self) -> int | None:
        """The mean rate since the start, None where it is too early to tell."""
        if self.elapsed_ms < SHORTEST_MS:
            return None
        return self.rows * 1000 // self.elapsed_ms

    @property
    def seconds_left(self) -> int | None:
        """The time to the end at this rate, None where nobody can tell."""
        if not (self.rows_planned and self.rows_per_second):
            return None
        return max(0, self.rows_planned - self.rows) // self.rows_per_second

    def __str__(self) -> str:
        rate, left = self.rows_per_second, self.seconds_left
        words = [f"tasks={self.tasks_done}/{self.tasks}", f"rows={self.rows:,}"]
        words += [f"rate={rate:,}/s"] if rate is not None else []
        words += [f"weight={self.weight_percent}%"] if self.weight_percent is not None else []
        words += [f"eta={clocked(left)}"] if left is not None else []
        return " ".join(words)


def clocked(seconds: int) -> str:
    """Return a length of time as `h:mm:ss`."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


Show = Callable[[Reading], None]


class Watch:
    """Counts what the tasks of one run land, from any thread, and shows it."""

    def __init__(
        self,
        clock: Clock,
        show: Show,
        *,
        tasks: int,
        rows_planned: int,
        weight: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._weight = weight
        self._clock = clock
        self._show = show
        self._tasks = tasks
        self._rows_planned = rows_planned
        self._started = clock.now()
        self._lock = Lock()
        self._done = 0
        self._rows = 0

    def landed(self, rows: int) -> None:
        """Count the rows of a file."""
        with self._lock:
            self._rows += rows
            self._show(self._reading())

    def task_done(self) -> None:
        """Count a task that has ended."""
        with self._lock:
            self._done += 1
            self._show(self._reading())

    def _reading(self) -> Reading:
        elapsed = _millis_between(self._started, self._clock.now())
        return Reading(
            self._done, self._tasks, self._rows, self._rows_planned, elapsed, self._weight()
        )


@contextmanager
def watched(
    clock: Clock, *, tasks: int, rows_planned: int, weight: Callable[[], int | None]
) -> Iterator[Watch]:
    """Give a watch that shows on standard error, as suits what that is, until the block ends.

    Args:
        clock: the process's clock.
        tasks: how many tasks there are.
        rows_planned: how many rows they will land, 0 where nobody knows.
        weight: tells how much of the tightest limit is used.
    """
    of_run = {"tasks": tasks, "rows_planned": rows_planned}
    if not sys.stderr.isatty():
        yield Watch(clock, now_and_then(clock), weight=weight, **of_run)
        return
    with on_terminal(Console(stderr=True), **of_run) as show:
        yield Watch(clock, show, weight=weight, **of_run)


def now_and_then(clock: Clock) -> Show:
    """Return what logs a reading where the last one is long enough ago."""
    last = clock.now()

    def show(reading: Reading) -> None:
        nonlocal last
        now = clock.now()
        if _millis_between(last, now) >= EVERY_SECONDS * 1000:
            last = now
            log.info("extracting %s", reading)

    return show


@contextmanager
def on_terminal(console: Console, *, tasks: int, rows_planned: int) -> Iterator[Show]:
    """Give what draws readings as one moving line; it is gone when the block ends.

    The bar is of rows where they are planned, else of tasks.
    """
    said = TextColumn("{task.fields[said]}")
    columns = (SpinnerColumn(), TextColumn("extracting"), BarColumn(), said)
    total = rows_planned or tasks
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
    with bar as progress, _logs_above_it():
        line = progress.add_task("", total=total, said="")

        def show(reading: Reading) -> None:
            completed = reading.rows if rows_planned else reading.tasks_done
            progress.update(line, completed=min(completed, total), said=str(reading))

        yield show


@contextmanager
def _logs_above_it() -> Iterator[None]:
    """Send log lines through the standard error that rich has put in place, above its line."""
    found = logging.getLogger().handlers
    before = [(one, one.stream) for one in found if isinstance(one, logging.StreamHandler)]
    for handler, _ in before:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler, stream in before:
            handler.setStream(stream)


def _millis_between(earlier: datetime, later: datetime) -> int:
    return int((later - earlier).total_seconds() * 1000)
