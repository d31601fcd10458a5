"""Several extractions side by side."""

from __future__ import annotations

import threading

import pytest

from extract.landing import Landed
from extract.pool import run_all
from lake.errors import BannedError, UnreachableError


def test_what_all_tasks_landed_is_added_up() -> None:
    tasks = [lambda n=n: Landed(files_created=n, rows=10) for n in range(5)]

    assert run_all(tasks, 2) == Landed(files_created=10, rows=50)
    assert run_all([], 2) == Landed()


def test_one_failure_leaves_the_others_running_and_is_raised_at_the_end() -> None:
    done = []

    def fails() -> Landed:
        raise UnreachableError("gone")

    def works() -> Landed:
        done.append(1)
        return Landed()

    with pytest.raises(UnreachableError, match="gone"):
        run_all([fails, works, works], 1)
    assert done == [1, 1]


def test_after_a_ban_no_further_task_starts() -> None:
    started, banned = [], threading.Event()

    def is_banned() -> Landed:
        banned.set()
        raise BannedError("banned")

    def task() -> Landed:
        started.append(1)
        banned.wait(5)
        threading.Event().wait(0.05)
        return Landed()

    with pytest.raises(BannedError):
        run_all([is_banned, *[task] * 50], 2)
    assert len(started) < 10


def test_tasks_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def task() -> Landed:
        meeting.wait()
        return Landed(rows=1)

    assert run_all([task] * 3, 3).rows == 3
