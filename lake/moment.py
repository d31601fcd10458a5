"""Reads the moments that users write."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lake.clock import from_millis
from lake.errors import UsageError

_MILLIS = re.compile(r"\d{10,}")


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
