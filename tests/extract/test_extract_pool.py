"""Several extractions side by side."""

from __future__ import annotations

import threading
import time

import pytest

from extract.landing import Landed
from extract.pool import Done, Task, run_all
from lake.errors import BannedError, UnreachableError


def test_what_all_tasks_landed_is_added_up() -> None:
    tasks: list[Task] = [lambda n=n: Done(Landed(files_created=n, rows=10)) for n in range(5)]  # type: ignore[misc]

    assert run_all(tasks, 2) == Landed(files_created=10, rows=50)
    assert run_all([], 2) == Landed()


def test_one_failure_leaves_the_others_running_and_is_raised_at_the_end() -> None:
    done = []

    def fails() -> Done:
        raise UnreachableError("gone")

    def works() -> Done:
        done.append(1)
        return Done(Landed())

    with pytest.raises(UnreachableError, match="gone"):
        run_all([fails, works, works], 1)
    assert done == [1, 1]


def test_after_a_ban_no_further_task_starts() -> None:
    started, banned = [], threading.Event()

    def is_banned() -> Done:
        banned.set()
        raise BannedError("banned")

    def task() -> Done:
        started.append(1)
        banned.wait(5)
        threading.Event().wait(0.05)
        return Done(Landed())

    with pytest.raises(BannedError):
        run_all([is_banned, *[task] * 50], 2)
    assert len(started) < 10


def test_tasks_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def task() -> Done:
        meeting.wait()
        return Done(Landed(rows=1))

    assert run_all([task] * 3, 3).rows == 3


def test_a_task_is_followed_by_the_one_that_it_names() -> None:
    def counting(left: int) -> Task:
        return lambda: Done(Landed(rows=1), [counting(left - 1)] if left else [])

    assert run_all([counting(9), counting(4)], 3).rows == 15


def test_after_a_ban_nothing_follows() -> None:
    banned, worked = threading.Event(), []

    def is_banned() -> Done:
        banned.set()
        raise BannedError("banned")

    def endless() -> Done:
        worked.append(1)
        banned.wait(5)
        threading.Event().wait(0.05)
        return Done(Landed(), [endless])

    with pytest.raises(BannedError):
        run_all([endless, is_banned], 2)
    assert len(worked) <= 2


def test_an_interrupt_ends_in_seconds_though_a_task_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    halted, hangs = threading.Event(), threading.Event()

    def interrupted(self: object) -> None:
        hangs.wait(5)
        raise KeyboardInterrupt

    def task() -> Done:
        hangs.set()
        threading.Event().wait(30)
        return Done(Landed())

    monkeypatch.setattr("extract.pool._Crew.wait", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([task, task], 2, halt=halted.set)

    assert time.monotonic() - started < 5
    assert halted.is_set()
