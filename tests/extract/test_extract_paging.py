"""Paging by id over a tape in memory that answers as an exchange does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.answer import Answer, Request
from extract.coverage import Gap, joined, missing
from extract.pages import Check, Page, Row, check_rows, read_rows
from extract.paging import Pager, TradeFile
from lake.bronze import Coverage
from lake.errors import TransientExtractError

ANSWER = Answer(Request("", "/"), 200, {}, b"[]", datetime(2025, 1, 1, tzinfo=UTC))
LATE = 10**9


class Tape:
    """A source over rows in memory, at most `limit` a page."""

    def __init__(self, rows: Iterable[tuple[int, int]], limit: int = 3) -> None:
        self.rows = [Row(*row) for row in rows]
        self.asked: list[int] = []
        self._limit = limit

    origin = 0
    keeps_all = True

    def clock_ms(self) -> int:
        return LATE

    def first_at(self, time_ms: int) -> Row | None:
        return next((row for row in self.rows if row.time_ms >= time_ms), None)

    def newest(self, check: Check) -> Row | None:
        check(self.rows[-1:])
        return self.rows[-1] if self.rows else None

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        self.asked.append(first_id)
        limit = min(self._limit, last_id - first_id + 1)
        rows = [row for row in self.rows if row.id >= first_id][:limit]
        check(rows)
        return Page(ANSWER, rows, full=len(rows) >= limit)


def files(tape: Tape, gap: Gap, *, clock_ms: int = LATE, per_file: int = 10) -> list[TradeFile]:
    return list(Pager(tape, clock_ms=clock_ms, ids_per_file=per_file).files(gap))


def covered(found: Sequence[TradeFile]) -> list[Coverage]:
    return [file.coverage for file in found]


def test_files_are_cut_on_the_grid_of_ids_and_adjoin() -> None:
    tape = Tape((number, 1000 + number) for number in range(7, 40))

    found = files(tape, Gap(1005, 1025))

    assert covered(found) == [Coverage(7, 9, 1005, 1009), Coverage(10, 19, 1011, 1019),
                              Coverage(20, 24, 1021, 1025)]  # fmt: skip
    assert [file.rows for file in found] == [3, 10, 5]
    assert joined(covered(found)) == [Coverage(7, 24, 1005, 1025)]


def test_an_empty_window_is_covered_by_a_file_without_rows() -> None:
    tape = Tape([(1, 100), (2, 300)])

    assert covered(files(tape, Gap(150, 200))) == [Coverage(2, 1, 150, 200)]


def test_a_window_after_the_last_trade_is_covered_once_the_exchanges_clock_has_passed_it() -> None:
    tape = Tape([(1, 100), (2, 300)])

    assert covered(files(tape, Gap(400, 500), clock_ms=1500)) == [Coverage(3, 2, 400, 500)]
    assert files(tape, Gap(400, 500), clock_ms=1499) == []


def test_an_instrument_that_never_traded_is_covered_from_id_0() -> None:
    assert covered(files(Tape([]), Gap(400, 500))) == [Coverage(0, -1, 400, 500)]


def test_nothing_is_claimed_beyond_the_last_trade_while_the_window_is_still_open() -> None:
    tape = Tape([(1, 100), (2, 300)])

    assert covered(files(tape, Gap(50, 500), clock_ms=400)) == [Coverage(1, 2, 50, 300)]


def test_a_thousand_trades_in_one_millisecond_are_all_held() -> None:
    tape = Tape(((number, 77) for number in range(2500)), limit=1000)

    found = files(tape, Gap(77, 78), per_file=1000)

    assert sum(file.rows for file in found) == 2500
    assert joined(covered(found)) == [Coverage(0, 2499, 77, 78)]


def test_a_hole_of_the_exchange_is_claimed_as_asked_and_answered() -> None:
    tape = Tape([(1, 100), (2, 101), (57, 102), (58, 103)])

    found = files(tape, Gap(100, 200))

    assert covered(found) == [Coverage(1, 56, 100, 101), Coverage(57, 58, 103, 200)]
    assert [file.rows for file in found] == [2, 2]


def test_a_gap_between_two_ids_is_filled_by_id_whatever_the_times_say() -> None:
    tape = Tape((number, 100) for number in range(30))

    found = files(tape, Gap(100, 100, after_id=4, before_id=9))

    assert covered(found) == [Coverage(5, 8, 101, 100)]
    assert found[0].rows == 4


def test_a_row_of_a_far_future_does_not_end_the_window() -> None:
    tape = Tape([(0, 100), (1, 101), (2, LATE * 10), (3, 103), (4, 104), (5, LATE * 10)])

    assert covered(files(tape, Gap(100, 200))) == [Coverage(0, 5, 100, 200)]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([], "an empty page from id 5 on, though id 9 exists"),
        ([Row(2, 1), Row(3, 1)], "repeats id 2, asked was 5"),
        ([Row(5, 1), Row(7, 1), Row(6, 1)], "goes backwards from id 7 to 6"),
    ],
)
def test_an_impossible_page_is_rejected(rows: list[Row], fault: str) -> None:
    with pytest.raises(TransientExtractError, match=fault):
        check_rows(rows, 5, 9)


def test_an_id_that_comes_twice_in_a_row_is_left_for_silver_to_judge() -> None:
    check_rows([Row(5, 1), Row(5, 1), Row(6, 1)], 5, 9)


def test_rows_without_a_usable_id_are_passed_over_beside_good_ones() -> None:
    entries = [{"a": 1, "T": 5}, {"T": 6}, {"a": "x", "T": 7}, {"a": 4, "T": 8}]

    assert read_rows(entries, "a", "T") == [Row(1, 5), Row(4, 8)]
    with pytest.raises(TransientExtractError, match="no row with a usable 'a'"):
        read_rows([{"T": 6}], "a", "T")


@given(
    steps=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 4)), max_size=60),
    window=st.tuples(st.integers(0, 120), st.integers(1, 60)),
    kept=st.integers(0, 6),
    per_file=st.integers(4, 20),
)
def test_whatever_was_lost_the_next_run_holds_every_row_of_the_window(
    steps: list[tuple[int, int]], window: tuple[int, int], kept: int, per_file: int
) -> None:
    rows, last = [], Row(0, 0)
    for id_step, time_step in steps:
        last = Row(last.id + id_step, last.time_ms + time_step)
        rows.append(last)
    start, end = window[0], window[0] + window[1]
    first_run = files(Tape(rows), Gap(start, end), per_file=per_file)
    landed = {file.coverage: file for file in first_run[:kept] + first_run[kept + 1 :]}

    for gap in missing(joined(landed), start, end):
        landed |= {file.coverage: file for file in files(Tape(rows), gap, per_file=per_file)}

    assert missing(joined(landed), start, end) == []
    held = {
        row
        for coverage, file in landed.items()
        for page in file.pages
        for row in page.rows
        if coverage.first_id <= row.id <= coverage.last_id
    }
    assert held >= {row for row in rows if start <= row.time_ms < end}
