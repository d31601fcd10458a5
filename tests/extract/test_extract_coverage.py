"""What is held and missing, by hand-made names."""

from __future__ import annotations

from extract.coverage import Gap, joined, missing, months
from lake.bronze import Coverage


def test_files_whose_ids_adjoin_or_overlap_join_into_one_run() -> None:
    files = [Coverage(200, 299, 21, 30), Coverage(0, 99, 0, 10), Coverage(100, 210, 11, 22)]

    assert joined(files) == [Coverage(0, 299, 0, 30)]


def test_a_hole_in_the_ids_parts_two_runs() -> None:
    files = [Coverage(0, 99, 0, 10), Coverage(101, 110, 10, 20)]

    assert joined(files) == files


def test_an_empty_file_joins_what_lies_on_both_sides_of_it() -> None:
    files = [Coverage(0, 99, 0, 10), Coverage(100, 99, 10, 50), Coverage(100, 120, 50, 60)]

    assert joined(files) == [Coverage(0, 120, 0, 60)]


def test_a_window_of_which_nothing_is_held_is_missing_whole() -> None:
    assert missing([], 5, 9) == [Gap(5, 9)]


def test_a_covered_window_misses_nothing() -> None:
    assert missing([Coverage(1, 9, 0, 10)], 0, 10) == []
    assert missing([Coverage(1, 9, 0, 10)], 3, 7) == []


def test_a_window_goes_on_by_id_from_where_a_run_ends() -> None:
    assert missing([Coverage(1, 9, 0, 10)], 0, 30) == [Gap(10, 30, after_id=9)]
    assert missing([Coverage(1, 9, 0, 10)], 10, 30) == [Gap(10, 30, after_id=9)]


def test_a_run_that_ends_before_the_window_says_nothing_of_it() -> None:
    assert missing([Coverage(1, 9, 0, 10)], 11, 30) == [Gap(11, 30)]


def test_a_gap_between_two_runs_is_bounded_by_ids_on_both_sides() -> None:
    runs = [Coverage(1, 9, 0, 10), Coverage(20, 29, 20, 30)]

    assert missing(runs, 0, 30) == [Gap(10, 20, after_id=9, before_id=20)]


def test_a_lost_head_is_bounded_by_the_first_id_held() -> None:
    assert missing([Coverage(20, 29, 20, 30)], 0, 30) == [Gap(0, 20, before_id=20)]


def test_runs_that_touch_in_time_but_not_in_ids_leave_a_gap_of_ids() -> None:
    runs = [Coverage(1, 9, 0, 10), Coverage(20, 29, 10, 30)]

    assert missing(runs, 0, 30) == [Gap(10, 10, after_id=9, before_id=20)]


def test_a_window_is_cut_at_the_turns_of_the_months() -> None:
    dec_31, jan_1, feb_1, feb_2 = 1703980800000, 1704067200000, 1706745600000, 1706832000000

    assert list(months(dec_31, feb_2)) == [(dec_31, jan_1), (jan_1, feb_1), (feb_1, feb_2)]
    assert list(months(jan_1, jan_1)) == []
