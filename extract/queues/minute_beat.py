"""What Celery's beat sends on the clock: a task an index, and one an instrument of bars."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from celery.schedules import BaseSchedule, schedstate

from lake.clock import EPOCH
from lake.settings import Settings

#: The tasks' own queue, so that a poll never waits behind a history.
QUEUE = "candlelake.minute"
INDEX, BAR = "candlelake.poll_index", "candlelake.poll_bar"


class OnTheClock(BaseSchedule):  # type: ignore[misc]
    """Due whenever an interval ends, by the machine's clock and the grid of UTC.

    Celery's own schedules count from when beat was started.
    """

    def __init__(self, interval_seconds: int) -> None:
        super().__init__()
        self.interval = timedelta(seconds=interval_seconds)

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether an interval has ended since the last run, and the seconds to the next."""
        now = self.now()
        ended = (now - EPOCH) // self.interval
        following = EPOCH + (ended + 1) * self.interval
        is_due = ended > (last_run_at - EPOCH) // self.interval
        return schedstate(is_due, (following - now).total_seconds())


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the beat's entries: what nobody has taken within half an interval is too late."""
    seconds = settings.minute.interval_seconds
    entry = {
        "schedule": OnTheClock(seconds),
        "options": {"queue": QUEUE, "expires": max(1, seconds // 2)},
    }
    indexes = {
        f"index {name}": {**entry, "task": INDEX, "args": (name,)}
        for name in settings.minute.indexes
    }
    bars = {f"bar {name}": {**entry, "task": BAR, "args": (name,)} for name in settings.minute.bars}
    return {**indexes, **bars}
