"""The grid of bars: which interval a moment falls into, the same in every session's time zone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: The intervals that gold holds, in microseconds; a day is 00:00 to 24:00 UTC.
INTERVALS: Mapping[str, int] = MappingProxyType(
    {
        "1m": MINUTE,
        "5m": 5 * MINUTE,
        "15m": 15 * MINUTE,
        "1h": HOUR,
        "4h": 4 * HOUR,
        "1d": DAY,
    }
)


def bar_start(moment: Column, interval: str) -> Column:
    """Return the start of the bar that holds a moment: floor(moment / interval), from the epoch."""
    return floored(moment, F.lit(INTERVALS[interval]))


def bar_end(start: Column, interval: str) -> Column:
    """Return the end of the bar that starts at `start`; the bar does not hold its end."""
    return shifted(start, F.lit(INTERVALS[interval]))


def floored(moment: Column, length: Column) -> Column:
    """Return the last multiple of `length` (microseconds since the epoch) at or before a moment."""
    micros = F.unix_micros(moment)
    return F.timestamp_micros(micros - F.pmod(micros, length))


def shifted(moment: Column, micros: Column) -> Column:
    """Return the moment that lies `micros` microseconds later."""
    return F.timestamp_micros(F.unix_micros(moment) + micros)


def year(moment: Column) -> Column:
    """Return the year of a moment in UTC, whatever the session's time zone."""
    return F.year(date(moment))


def month(moment: Column) -> Column:
    """Return the month of a moment in UTC, whatever the session's time zone."""
    return F.month(date(moment))


def date(moment: Column) -> Column:
    """Return the day of a moment in UTC as DATE, whatever the session's time zone."""
    days = F.call_function("div", F.unix_micros(moment), F.lit(DAY))
    return F.date_from_unix_date(days.cast("int"))
