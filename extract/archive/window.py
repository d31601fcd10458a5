"""A window of an instrument by the archive as tasks for the pool; with `auto`, REST's part last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from extract.archive.choice import Span, missing_files
from extract.archive.recheck import held_files, recheck
from extract.archive.tasks import Archive, Course
from extract.client import Client
from extract.coverage import DAY_MS
from extract.landing import Landed, Landing
from extract.pool import Task
from extract.rest import land_gaps, window_of
from extract.seam import gaps_beside
from extract.subject import BY_TIME, Subject, counted, reaches_back
from lake.bronze import QUICK_LEVEL
from lake.clock import to_millis
from lake.errors import UsageError
from lake.settings import Settings


def archive_tasks(
    client: Client,
    settings: Settings,
    landing: Landing,
    subject: Subject,
    *,
    on_ended: Callable[[], None] = lambda: None,
    checks_again: bool = False,
) -> list[Task]:
    """Return what lands a window: a task a file of the archive, then REST for the rest.

    Args:
        client: asks; shared by the tasks, its counts are too.
        settings: where the archive is, how many lines a part holds.
        landing: whose, and in whose name.
        subject: the window, and whether REST takes part (`auto`).
        on_ended: is called when all of it has landed.
        checks_again: whether what is held is checked against the archive's present checksums.

    Raises:
        UsageError: the exchange has no archive.
    """
    bulk = replace(landing, mode="archive", counts=counted(subject), level=QUICK_LEVEL)
    archive = Archive(client, settings, bulk)
    span = span_of(bulk, subject, to_millis(client.clock.now()))
    files = list(missing_files(span))
    held = held_files(span) if checks_again else ()
    again = [file for file in held if file not in files]
    is_auto = subject.source == "auto"

    def afterwards() -> Landed:
        by_rest = replace(landing, mode="history", counts=counted(subject))
        landed = _rest(client, settings, by_rest, subject) if is_auto else Landed()
        on_ended()
        return landed

    course = Course(archive, afterwards, subject)
    return course.tasks(files, [partial(recheck, archive, file) for file in again])


def span_of(landing: Landing, subject: Subject, now_ms: int) -> Span:
    """Return the window of the archive that a subject comes to.

    With `auto` only days that have closed count, and a day that REST has begun is left to REST
    where that reaches back so far.

    Raises:
        UsageError: the exchange has no archive.
    """
    end_ms = subject.end_ms
    if landing.exchange != "binance" and subject.source == "archive":
        raise UsageError(f"{landing.exchange} has no bulk archive", hint="Use source=rest.")
    is_auto = subject.source == "auto"
    if is_auto:
        end_ms = min(end_ms, now_ms - now_ms % DAY_MS) if landing.exchange == "binance" else 0
    return Span(
        landing,
        subject.start_ms,
        end_ms,
        now_ms,
        subject.interval,
        leaves_begun=is_auto and reaches_back(subject),
    )


def _rest(client: Client, settings: Settings, landing: Landing, subject: Subject) -> Landed:
    """Land by REST what the archive has left, once its files have landed."""
    ids_too = subject.dataset not in BY_TIME and reaches_back(subject)
    window = window_of(subject)
    gaps = gaps_beside(landing, *window, interval=subject.interval, ids_too=ids_too)
    return land_gaps(client, settings, landing, subject, gaps) if gaps else Landed()
