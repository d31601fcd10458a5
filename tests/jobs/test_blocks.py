"""Which blocks of ids are settled by what was counted of them, and which answers are read."""

from __future__ import annotations

from typing import Any

import pandas as pd

from jobs.reconciliation.settled import blocks
from transform.reconciliation.subjects import SUBJECTS

#: So large that a floating number would not hold it to the last digit.
HASH = 2**62 + 1


def counted(side: str, mark: int, ids: tuple[int, int], **changes: Any) -> dict[str, Any]:
    """Return what an answer says of the block of its first id: ids without a gap, all sound."""
    lowest, highest = ids
    rows = highest - lowest + 1
    return {
        "side": side,
        "bronze_file": f"{side}.gz",
        "instrument": "BTCUSDT",
        "mark": mark,
        "block": lowest // 10 * 10,
        "lowest": lowest,
        "highest": highest,
        **dict.fromkeys(("rows", "inside", "around"), rows),
        "first": HASH,
        "second": 3,
        "quotes": 0,
        "quotes_hash": 0,
        "is_chain": True,
        "is_sound": True,
        **changes,
    }


def judged(*answers: dict[str, Any], touched: tuple[int, ...] = ()) -> tuple[list[int], list[int]]:
    """Return the blocks that are settled, and the marks of the answers that are read."""
    found = blocks.judged(pd.DataFrame(answers), {("BTCUSDT", block) for block in touched})
    return found.same["block"].tolist(), sorted(found.unread["mark"])


def test_two_answers_that_come_to_one_are_the_same() -> None:
    halves = (counted("left", 1, (0, 4), first=HASH), counted("left", 2, (5, 9), first=1))
    assert judged(*halves, counted("right", 3, (0, 9), first=HASH + 1, second=6)) == ([0], [])


def test_a_hash_that_differs_in_its_last_digit_is_read() -> None:
    left, right = counted("left", 1, (0, 9)), counted("right", 2, (0, 9), first=HASH + 1)
    beside = counted("left", 3, (10, 19)), counted("right", 4, (10, 19))
    # a block that one side lacks makes floating numbers of a careless join
    alone = counted("left", 5, (20, 29))
    assert judged(left, right, *beside, alone) == ([10], [1, 2, 5])


def test_a_row_that_came_twice_or_is_not_sound_or_lies_outside_is_read() -> None:
    for changes in (
        {"is_chain": False},
        {"is_sound": False},
        {"inside": 9},
        {"quotes": 10},
    ):
        sides = counted("left", 1, (0, 9), **changes), counted("right", 2, (0, 9))
        assert judged(*sides) == ([], [1, 2])
    overlapping = [counted("left", 1, (0, 5)), counted("left", 2, (5, 8), first=1)]
    assert judged(*overlapping, counted("right", 3, (0, 9), second=6)) == ([], [1, 2, 3])


def test_a_file_that_says_the_same_again_is_a_repeat() -> None:
    right = counted("right", 2, (0, 9)), counted("right", 3, (0, 9), bronze_file="anew.gz")
    found = blocks.judged(pd.DataFrame([counted("left", 1, (0, 9)), *right]), set())
    (row,) = blocks.counted(found, SUBJECTS["agg_trades"])
    assert (row["rows"], row["left_repeats"], row["right_repeats"]) == (10, 0, 10)
    assert row["hash"] == f"{HASH:016x}{3:016x}"
    assert row["compared"] == 10 * len(SUBJECTS["agg_trades"].fields)
    other = counted("right", 3, (0, 9), bronze_file="anew.gz", second=4)
    assert judged(counted("left", 1, (0, 9)), right[0], other) == ([], [1, 2, 3])


def test_what_lies_far_from_the_window_is_neither_settled_nor_read() -> None:
    far = {"inside": 0, "around": 0}
    assert judged(counted("left", 1, (0, 9), **far)) == ([], [])
    assert judged(counted("left", 1, (0, 9), **far, is_sound=False)) == ([], [1])


def test_an_answer_that_is_not_written_as_usual_is_read_and_all_that_it_touches() -> None:
    strange = counted("left", 1, (0, 0), block=-1, rows=0, instrument="")
    sides = counted("left", 2, (0, 9)), counted("right", 3, (0, 9))
    assert judged(strange, *sides, touched=(0,)) == ([], [1, 2, 3])
    assert judged(strange) == ([], [1])
