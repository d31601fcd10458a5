"""The only place that reads the time of day: everything else is given a clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """What knows the time and can wait."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        time.sleep(seconds)


def to_micros(moment: datetime) -> int:
    """Return microseconds since the epoch of an aware datetime, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_millis(moment: datetime) -> int:
    """Return milliseconds since the epoch of an aware datetime, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_millis(milliseconds: int) -> datetime:
    """Return the UTC datetime of milliseconds since the epoch, exactly."""
    return EPOCH + timedelta(milliseconds=milliseconds)


def to_iso(moment: datetime) -> str:
    """Return an aware datetime as ISO 8601 in UTC with microseconds and `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
