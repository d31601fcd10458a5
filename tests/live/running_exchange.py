"""A replay exchange whose clock runs, as a collector meets it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import Live

#: Shortly before the recorded trades, and before the generated ones.
RECORDED = "2025-03-25T23:06:55Z"
GENERATED = "2024-08-08T23:55:55Z"


@contextmanager
def live(start: str, speed: int = 20, rules: Rules | None = None) -> Iterator[ReplayExchange]:
    """Run an exchange whose clock runs from a moment."""
    running = Live(datetime.fromisoformat(start), speed)
    with ReplayExchange(replace(rules or Rules(), live=running)) as exchange:
        yield exchange
