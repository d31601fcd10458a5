"""Ids are followed over all connections: a jump is a hole, what comes late closes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from extract.coverage import Missing
from extract.live.trail import Trail


def seen(trail: Trail, *ids: int, at: float = 0.0) -> int:
    return sum(trail.see([one], [one], at) for one in ids)


def due(trail: Trail, before: float = 1e9) -> list[tuple[int, int]]:
    return [(hole.first_id, hole.last_id) for hole in trail.due(before)]


def test_the_first_id_ever_opens_nothing() -> None:
    trail = Trail(1000)

    assert seen(trail, 500, 501) == 0
    assert due(trail) == []


def test_what_is_held_is_gone_on_from_and_its_holes_are_asked_for() -> None:
    trail = Trail(1000)
    trail.begin(100, [Missing(50, 52)], 0.0)

    assert seen(trail, 104) == 1
    assert due(trail) == [(50, 52), (101, 103)]
    assert due(trail) == []


def test_a_hole_waits_until_it_is_old_enough() -> None:
    trail = Trail(1000)
    seen(trail, 1, 3, at=5.0)

    assert due(trail, before=4.9) == []
    assert due(trail, before=5.0) == [(2, 2)]


def test_ids_that_come_late_close_a_hole_from_both_ends_and_part_it_in_the_middle() -> None:
    trail = Trail(1000)
    assert seen(trail, 1, 10) == 1

    assert seen(trail, 2, 9, 5) == 1
    assert due(trail) == [(3, 4), (6, 8)]


def test_a_hole_that_closes_by_itself_is_counted() -> None:
    trail = Trail(1000)
    seen(trail, 1, 4, 2, 3)

    assert (trail.came_late, due(trail)) == (1, [])


def test_the_newest_id_of_rest_opens_what_the_stream_has_not_shown() -> None:
    trail = Trail(1000)
    assert trail.reached(7, 0.0) == 0
    seen(trail, 5)

    assert trail.reached(5, 0.0) == 0
    assert trail.reached(7, 0.0) == 1
    assert seen(trail, 6, 8) == 0
    assert due(trail) == [(7, 7)]


def test_ids_far_below_a_wild_jump_are_followed_again() -> None:
    trail = Trail(1000)
    seen(trail, 1, 2, 10**15, 3, 4, 7)

    assert due(trail) == [(3, 10**15 - 1), (5, 6)]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_what_is_seen_and_what_is_missed_are_all_ids(ids: list[int]) -> None:
    trail = Trail(1000)
    seen(trail, *ids)
    missed = {one for first, last in due(trail) for one in range(first, last + 1)}

    # what lies below the first id ever was never promised
    assert missed == set(range(ids[0], max(ids) + 1)) - set(ids)
