"""Runs a step in a thread beside the caller's: two commits to two tables need not wait in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
#: Its threads live as long as the process: each has a connection of its own to Spark's JVM.
_THREADS = ThreadPoolExecutor(thread_name_prefix="beside")


@contextmanager
def beside(step: Callable[[], object]) -> Iterator[None]:
    """Run a step while the body runs; both have ended where this is left.

    The step may not write under a transaction, nor on a session that has one: Delta takes a
    MERGE's from its session.

    Raises:
        Exception: the body's, else the step's.
    """
    running = _THREADS.submit(step)
    try:
        yield
    except BaseException:
        running.exception()
        raise
    running.result()


def ahead(read: Callable[[], T]) -> Future[T]:
    """Begin to read what will be asked for later; a caller that ends before never asks."""
    return _THREADS.submit(read)
