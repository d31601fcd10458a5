"""Threads for work that blocks; a process that ends waits for none of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """Some threads that take work in the order in which it was given.

    The standard library's executor joins its threads when the process ends: a request that an
    exchange does not answer would keep a collector from ending in time.

    Args:
        name: of the threads.
        count: how many.
    """

    def __init__(self, name: str, count: int) -> None:
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for n in range(count):
            threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True).start()

    def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `work` in one of the threads; its outcome, or what it raises, is the future's."""
        future: Future[T] = Future()

        def once() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                outcome = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - raised where the future is asked
                future.set_exception(error)
            else:
                future.set_result(outcome)

        self._waiting.put(once)
        return future

    def _work(self) -> Any:
        while True:
            self._waiting.get()()
