"""What can be an id or a time of a row: a claim on coverage is never built on anything else."""

from __future__ import annotations

from typing import Any, TypeGuard

#: No exchange of ours is older than 2009 or sends times of the year 2100, in ms.
FIRST_MS, LAST_MS = 1_230_768_000_000, 4_102_444_800_000
HIGHEST_ID = 2**63 - 1


def is_id(value: Any) -> TypeGuard[int]:
    """Tell whether a value can be an id: a whole number from 0 on that fits 64 bits."""
    return type(value) is int and 0 <= value <= HIGHEST_ID


def is_time(value: Any) -> TypeGuard[int]:
    """Tell whether a value can be a time in ms."""
    return type(value) is int and FIRST_MS <= value < LAST_MS
