"""Shows how far an export is: a moving line on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from jobs.extraction.progress import EVERY_SECONDS, Reading

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Progress:
    """Counts rows that were read, of `planned`; on a terminal `bar` is moved."""

    planned: int
    bar: Bar | None
    started_seconds: float = field(default_factory=time.monotonic)
    shown_seconds: float = field(default_factory=time.monotonic)
    rows: int = 0

    def add(self, of: object, rows: int) -> None:
        """Count rows of a series, and show it where it is time."""
        self.rows += rows
        now = time.monotonic()
        elapsed = int((now - self.started_seconds) * 1000)
        reading = Reading(0, 0, self.rows, max(self.planned, self.rows), elapsed)
        said = f"{of} {str(reading).partition(' ')[2]}"
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.rows, said=said)
        elif now - self.shown_seconds >= EVERY_SECONDS:
            self.shown_seconds = now
            log.info("exporting %s", said)


@contextmanager
def progress(planned: int) -> Iterator[Progress]:
    """Give what counts rows and shows them on standard error until the block ends."""
    if not sys.stderr.isatty():
        yield Progress(planned, None)
        return
    columns = (TextColumn("exporting"), BarColumn(), TextColumn("{task.fields[said]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        bar.add_task("", total=planned, said="")
        yield Progress(planned, bar)
