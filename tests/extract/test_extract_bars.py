"""What a page of bars may look like."""

from __future__ import annotations

import pytest

from extract.bars import check_open_times, interval_ms
from lake.errors import TransientExtractError, UsageError


@pytest.mark.parametrize(
    ("times", "fault"),
    [([30, 20, 10], "go backwards from 30 to 10"), ([1, 2], "bars from 1 to 2, asked was 10")],
)
def test_an_impossible_page_of_bars_is_rejected(times: list[int], fault: str) -> None:
    with pytest.raises(TransientExtractError, match=fault):
        check_open_times(times, 10, 40)


@pytest.mark.parametrize("times", [[], [10, 20, 30], [10, 10, 20], [10, 999, 30]])
def test_an_odd_bar_among_good_ones_is_left_for_silver_to_judge(times: list[int]) -> None:
    check_open_times(times, 10, 40)


def test_intervals_are_read_in_milliseconds() -> None:
    assert [interval_ms(text) for text in ("1s", "5m", "4h", "1d")] == [
        1000,
        300_000,
        14_400_000,
        86_400_000,
    ]
    for wrong in ("", "m", "0m", "1M", "1w", "-1m"):
        with pytest.raises(UsageError):
            interval_ms(wrong)
