"""Reads the times that callers write: dates, ISO 8601, UNIX seconds and milliseconds."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from lake.clock import EPOCH, to_micros

ACCEPTED = "a date (2024-01-01), ISO 8601 (2024-01-01T00:00:00Z), or UNIX time in s or ms"
#: UNIX times of fewer digits are seconds: a date of eight digits is none, nor is a year.
_SECONDS = re.compile(r"0|\d{9,11}")
_MILLIS = re.compile(r"\d{12,14}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
#: A `+` that a client did not encode has come as a space.
_LOST_PLUS = re.compile(r" (\d{2}:?\d{2})$")
_LONGEST = 40
_WRITTEN = {
    "type": "string",
    "pattern": r"^(\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?"
    r"|\d{9,14})$",
}


def millis_of(text: str, *, closes: bool = False) -> int:
    """Return the UNIX milliseconds of a written time, rounded down.

    A bare date is the start of the day in UTC; with `closes`, for an end that is left out, the
    start of the next day, so that the day named is in.

    Raises:
        ValueError: the text is none of what is accepted.
    """
    return micros_of(text, closes=closes) // 1000


def micros_of(text: str, *, closes: bool = False) -> int:
    """Return the UNIX microseconds of a written time, else as `millis_of`."""
    text = text.strip()
    if len(text) > _LONGEST or not text.isascii():
        raise ValueError(f"give {ACCEPTED}")
    if _SECONDS.fullmatch(text):
        return int(text) * 1_000_000
    if _MILLIS.fullmatch(text):
        return int(text) * 1000
    try:
        if _DAY.fullmatch(text):
            day = date.fromisoformat(text) + timedelta(days=1 if closes else 0)
            return to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
        return to_micros(_aware(datetime.fromisoformat(_LOST_PLUS.sub(r"+\1", text))))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"give {ACCEPTED}") from error


def _aware(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if aware < EPOCH:
        raise ValueError(f"give {ACCEPTED}, from 1970 on")
    return aware


def _start(value: object) -> object:
    return millis_of(value) if isinstance(value, str) else value


def _end(value: object) -> object:
    return millis_of(value, closes=True) if isinstance(value, str) else value


def _moment(value: object) -> object:
    return micros_of(value) if isinstance(value, str) else value


_START = f"From here on, included: {ACCEPTED}."
_END = f"Up to here, excluded: {ACCEPTED}. A bare date is the whole day: it is in."
_MOMENT = f"As it was known then: {ACCEPTED}."
#: Query parameters, in ms: the first time included, and the first one excluded; and a moment, µs.
StartTime = Annotated[
    int, BeforeValidator(_start), WithJsonSchema({**_WRITTEN, "description": _START})
]
EndTime = Annotated[int, BeforeValidator(_end), WithJsonSchema({**_WRITTEN, "description": _END})]
Moment = Annotated[
    int, BeforeValidator(_moment), WithJsonSchema({**_WRITTEN, "description": _MOMENT})
]
