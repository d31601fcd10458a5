"""The process's own workers: tasks side by side, each may feed the next; a ban stops them all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from extract.landing import Landed
from lake.errors import BannedError, ExtractError

#: How long an interrupt waits for answers that are under way; what has landed is whole anyway.
LEAVE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Done:
    """What a task landed, and the tasks that go on from it."""

    landed: Landed
    following: Sequence[Task] = ()


Task: TypeAlias = Callable[[], Done]


def run_all(
    tasks: Iterable[Task], workers: int, *, halt: Callable[[], None] = lambda: None
) -> Landed:
    """Run tasks, and those that follow them, on `workers` threads; add up what they landed.

    One task's failure leaves the others running; the first failure is raised at the end. After a
    ban, or a fault that nobody foresaw, no further task starts.

    Args:
        tasks: what to begin with.
        workers: how many run at a time.
        halt: is called when the run is interrupted, so that what is under way ends soon.

    Raises:
        BannedError: the exchange has banned this address.
        ExtractError: a task failed; what the others landed stays.
        KeyboardInterrupt: the run was interrupted; it ends within `LEAVE_SECONDS`.
    """
    crew = _Crew(tasks)
    threads = [
        threading.Thread(target=crew.work, name=f"extract-{n}", daemon=True) for n in range(workers)
    ]
    for thread in threads:
        thread.start()
    try:
        crew.wait()
    except KeyboardInterrupt:
        crew.stop()
        halt()
        for thread in threads:
            thread.join(LEAVE_SECONDS / workers)
        raise
    for thread in threads:
        thread.join()
    return crew.outcome()


class _Crew:
    """What the workers share."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._changed = threading.Condition()
        self._waiting = deque(tasks)
        self._running = 0
        self._landed = Landed()
        self._failures: list[BaseException] = []

    def work(self) -> None:
        """Take one task after the other until none is left."""
        while (task := self._taken()) is not None:
            try:
                done = task()
            except BaseException as error:  # noqa: BLE001 - raised again where the run is waited for
                self._failed(error)
            else:
                self._finished(done)

    def wait(self) -> None:
        """Return when nothing waits and nothing runs."""
        with self._changed:
            while self._waiting or self._running:
                self._changed.wait()

    def stop(self) -> None:
        """Let no further task start."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()

    def outcome(self) -> Landed:
        """Return what all landed, or raise the failure that matters most."""
        for error in sorted(self._failures, key=_rank):
            raise error
        return self._landed

    def _taken(self) -> Task | None:
        with self._changed:
            while not self._waiting and self._running:
                self._changed.wait()
            if not self._waiting:
                return None
            self._running += 1
            return self._waiting.popleft()

    def _finished(self, done: Done) -> None:
        with self._changed:
            self._running -= 1
            self._landed += done.landed
            if not any(map(_stops, self._failures)):
                self._waiting.extend(done.following)
            self._changed.notify_all()

    def _failed(self, error: BaseException) -> None:
        with self._changed:
            self._running -= 1
            self._failures.append(error)
            if _stops(error):
                self._waiting.clear()
            self._changed.notify_all()


def _stops(error: BaseException) -> bool:
    return isinstance(error, BannedError) or not isinstance(error, ExtractError)


def _rank(error: BaseException) -> int:
    if isinstance(error, BannedError):
        return 0
    return 1 if _stops(error) else 2
