"""What a stream sends: a pure function of a window of the exchange's time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Source(Protocol):
    """One stream's messages by time."""

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the messages that are due in (after, until], in their order.

        Windows that follow one another give every message once.
        """
