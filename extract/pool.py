"""Runs the extractions of several instruments side by side; a ban stops them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from extract.landing import Landed
from lake.errors import BannedError, ExtractError


def run_all(tasks: Sequence[Callable[[], Landed]], workers: int) -> Landed:
    """Run tasks on `workers` threads and add up what they landed.

    One task's failure leaves the others running; the first failure is raised at the end. After a
    ban no further task starts.

    Raises:
        BannedError: the exchange has banned this address.
        ExtractError: a task failed; what the others landed stays.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix="extract") as pool:
        futures = [pool.submit(task) for task in tasks]
        pending: set[Future[Landed]] = set(futures)
        while pending:
            done, pending = wait(pending, return_when=FIRST_EXCEPTION)
            if any(_stops(future) for future in done):
                pool.shutdown(cancel_futures=True)
                break
    finished = [future for future in futures if not future.cancelled()]
    failures = [error for future in finished if (error := future.exception()) is not None]
    for error in sorted(failures, key=lambda found: not isinstance(found, BannedError)):
        raise error
    return sum((future.result() for future in finished), Landed())


def _stops(future: Future[Landed]) -> bool:
    error = future.exception()
    foreseen = error is None or isinstance(error, ExtractError)
    return isinstance(error, BannedError) or not foreseen
