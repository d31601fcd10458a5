"""Reads the moments and lengths of time that users write."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lake.clock import from_millis
from lake.errors import UsageError

_MILLIS = re.compile(r"\d{10,}")
_UNITS = {"h": 3600, "m": 60, "s": 1}
_LENGTH = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,6}}){unit})?" for unit in _UNITS))


def moment(text: str, option: str) -> datetime | None:
    """Return the UTC moment of ISO 8601 or UNIX ms; None for an empty text.

    Raises:
        UsageError: the text is neither.
    """
    if not text:
        return None
    if _MILLIS.fullmatch(text):
        return from_millis(int(text))
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        hint = "Use 2024-01-01T00:00:00Z or UNIX milliseconds."
        raise UsageError(f"{option} can't be read: '{text}'", hint=hint) from error
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def seconds_of(text: str, option: str) -> int:
    """Return the seconds of a length of time such as `90s`, `5m`, `1h` or `1h30m`.

    Raises:
        UsageError: the text is none, or no time at all.
    """
    match = _LENGTH.fullmatch(text.strip())
    seconds = sum(int(match[unit] or 0) * length for unit, length in _UNITS.items()) if match else 0
    if not seconds:
        raise UsageError(f"{option} can't be read: '{text}'", hint="Use 90s, 5m, 1h or 1h30m.")
    return seconds
