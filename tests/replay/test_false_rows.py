from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from extract.replay.false_rows import FalseRow, RecordedBar, find_false_rows, to_csv
from extract.replay.recordings import DIRECTORY, FALSE_ROWS_FILE, HOURLY_BARS, read_bars

TRADED = ("10", "12", "9", "11", "5.5", "60.1", "7", "2.5", "27.2")
QUIET = ("10", "10", "10", "10", "0.0", "0.0", "0", "0.0", "0.0")


def bar(open_time: str, values: tuple[str, ...] = TRADED) -> RecordedBar:
    return RecordedBar(open_time, "2020-01-01 00:59:59", values)


@pytest.fixture(scope="module")
def recorded() -> list[RecordedBar]:
    return list(read_bars(DIRECTORY, HOURLY_BARS))


@pytest.fixture(scope="module")
def found(recorded: list[RecordedBar]) -> list[FalseRow]:
    return find_false_rows(recorded)


def test_list_beside_recording_is_what_the_rule_finds(found: list[FalseRow]) -> None:
    assert to_csv(found) == (DIRECTORY / FALSE_ROWS_FILE).read_text()


def test_true_rows_are_as_many_as_the_recording_itself_counts(
    recorded: list[RecordedBar], found: list[FalseRow]
) -> None:
    assert len(recorded) == 55_861
    assert len(recorded) - len(found) == 55_765


def test_every_false_row_is_a_true_bar_in_pacific_wall_clock(found: list[FalseRow]) -> None:
    pacific, utc = ZoneInfo("America/Los_Angeles"), ZoneInfo("UTC")

    offsets: Counter[Any] = Counter()
    for row in found:
        true_start = datetime.fromisoformat(row.repeats).replace(tzinfo=utc)
        wall_clock = true_start.astimezone(pacific).replace(tzinfo=None)
        assert str(wall_clock) == row.open_time
        offsets[true_start.astimezone(pacific).utcoffset()] += 1

    assert sorted(offsets.values()) == [34, 62]


def test_row_inside_the_halt_is_false(found: list[FalseRow]) -> None:
    assert FalseRow("2023-03-24 13:00:00", "2023-03-24 20:00:00", 76_633) in found


def test_earlier_of_two_alike_is_false() -> None:
    bars = [bar("2020-01-01 00:00:00"), bar("2020-01-01 08:00:00")]

    assert [row.open_time for row in find_false_rows(bars)] == ["2020-01-01 00:00:00"]


def test_repeat_at_another_distance_is_true() -> None:
    bars = [bar("2020-01-01 00:00:00"), bar("2020-01-01 06:00:00"), bar("2020-01-01 15:00:00")]

    assert find_false_rows(bars) == []


def test_quiet_bars_alike_are_true() -> None:
    bars = [bar("2020-01-01 00:00:00", QUIET), bar("2020-01-01 07:00:00", QUIET)]

    assert find_false_rows(bars) == []
