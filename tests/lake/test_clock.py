"""Moments: whole numbers of micro- and milliseconds, in UTC, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.clock import SystemClock, from_millis, to_iso, to_micros, to_millis


@pytest.mark.parametrize(
    ("moment", "micros", "millis", "text"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0, 0, "1970-01-01T00:00:00.000000Z"),
        (
            datetime(2024, 1, 1, 12, 30, 0, 123456, tzinfo=UTC),
            1_704_112_200_123_456,
            1_704_112_200_123,
            "2024-01-01T12:30:00.123456Z",
        ),
        (
            datetime(2024, 1, 1, 7, 30, tzinfo=timezone(timedelta(hours=-5))),
            1_704_112_200_000_000,
            1_704_112_200_000,
            "2024-01-01T12:30:00.000000Z",
        ),
        (
            datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            -1,
            -1,
            "1969-12-31T23:59:59.999999Z",
        ),
    ],
)
def test_a_moment_is_told_in_micros_millis_and_text(
    moment: datetime, micros: int, millis: int, text: str
) -> None:
    assert to_micros(moment) == micros
    assert to_millis(moment) == millis
    assert to_iso(moment) == text


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_come_back_as_they_were(milliseconds: int) -> None:
    assert to_millis(from_millis(milliseconds)) == milliseconds


def test_the_system_clock_tells_utc() -> None:
    assert SystemClock().now().tzinfo is UTC
