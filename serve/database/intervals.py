"""Bar intervals as the database numbers them: by their minutes."""

from __future__ import annotations

from collections.abc import Mapping

MINUTE_MS = 60_000
DAY_MS = 86_400_000
MINUTES: Mapping[str, int] = {"1m": 1, "5m": 5, "15m": 15, "1h": 60, "4h": 240, "1d": 1440}
#: So many bars' length is one block of rendered bars: packed, two of them fill a page of 8 KB.
BARS_A_BLOCK = 48


def length_ms(bar_minutes: int) -> int:
    """Return the length of a bar in milliseconds."""
    return bar_minutes * MINUTE_MS


def block_ms(bar_minutes: int) -> int:
    """Return the length of a block in milliseconds."""
    return length_ms(bar_minutes) * BARS_A_BLOCK
