"""Polls index prices: each answer lands under the interval that it stands for, and no other."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from extract.answer import Answer
from extract.landing import Landed, Landing, Piece, held_names
from extract.minute.desk import Desk, Tally, side_by_side
from extract.minute.timetable import Timetable, shown
from extract.venues.deribit_index import KIND, answered_us, index_request
from lake.bronze import ALL_INSTRUMENTS, Coverage, shown_region

log = logging.getLogger(__name__)

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Price:
    """One answer, and the interval that had ended last when the exchange gave it."""

    index: str
    interval: int
    answer: Answer


def poll_indexes(desk: Desk, names: Sequence[str], interval: int, tally: Tally) -> None:
    """Ask for the price of each index that stands for an interval, and land the answers.

    Answers of one interval share a file, named by the interval, the indexes in it and the region:
    one that another scheduler of the region has landed already is discarded. An index that does
    not answer, or too late, is missing: nobody gives its price of that minute afterwards.

    Raises:
        StoppedError: the run was stopped.
    """
    found: list[Price] = []
    questions = [partial(_asked, desk, name, interval, found) for name in names]
    side_by_side(questions, desk.settings.extract.workers, tally)
    answered = {one.index for one in found if one.interval == interval}
    if lacking := sorted(set(names) - answered):
        log.warning("interval=%s missing of %s", shown(interval), ", ".join(lacking))
        tally.missed += len(lacking)
    by_interval = defaultdict[int, list[Price]](list)
    for one in sorted(found, key=lambda one: one.index):
        by_interval[one.interval].append(one)
    work = [partial(_land, desk, each, prices) for each, prices in sorted(by_interval.items())]
    tally.landed += side_by_side(work, 1, tally)


def held_until(desk: Desk, names: Sequence[str], interval: int) -> int | None:
    """Return the end (ms) of the last interval of these indexes that is held, None where none is.

    It is told from names alone, no further back than `minute.backfill_minutes`, and up to
    `interval`.
    """
    start = interval - desk.settings.minute.backfill_minutes * MINUTE_MS
    stands_for, tag = _named(names, desk.settings.lake.region)
    end = desk.timetable.end(interval)
    held = held_names(desk.store, "index_prices", "deribit", KIND, stands_for, window=(start, end))
    ends = [one.coverage.until_ms for one in held if one.tag == tag]
    return max((one for one in ends if one <= end), default=None)


def _asked(desk: Desk, name: str, interval: int, found: list[Price]) -> Landed:
    """Ask for a price; one that came before the interval's end is kept, and asked for again."""
    request, timetable = index_request(desk.settings, name), desk.timetable
    earlier: set[int] = set()
    for _ in range(desk.settings.minute.attempts):
        answer, (document, micros) = desk.client.ask(
            request, lambda document: (document, answered_us(document))
        )
        desk.clock.learn(answer, document)
        stands_for = timetable.ended(micros // 1000)
        if stands_for not in earlier:
            found.append(Price(name, stands_for, answer))
        earlier.add(stands_for)
        if stands_for >= interval:
            break
        _wait(desk, timetable, interval, micros // 1000)
    return Landed()


def _wait(desk: Desk, timetable: Timetable, interval: int, answered_ms: int) -> None:
    left = timetable.due(interval) - answered_ms
    log.warning("interval=%s asked too early by %d ms, asked again", shown(interval), left)
    desk.clock.sleep(min(left, timetable.interval_ms) / 1000)


def _land(desk: Desk, interval: int, prices: Sequence[Price]) -> Landed:
    stands_for, tag = _named([one.index for one in prices], desk.settings.lake.region)
    landing = Landing(
        store=desk.store,
        clock=desk.client.clock,
        run_id=desk.run_id,
        region=desk.settings.lake.region,
        exchange="deribit",
        kind=KIND,
        dataset="index_prices",
        instrument="",
        mode="history",
        shown_as=stands_for,
    )
    end = desk.timetable.end(interval)
    return landing.land(
        [Piece.of(one.answer, one.index) for one in prices],
        Coverage(interval, end - 1, interval, end),
        rows=len(prices),
        tag=tag,
    )


def _named(names: Sequence[str], region: str) -> tuple[str, str]:
    """Return what stands in the place of the instrument, and the tag: the same for the same.

    Two regions get two answers, each whole: where their stores copy from one another, a shared
    name would put one answer in the place of the other.
    """
    distinct = sorted(set(names))
    place = shown_region(region)
    if len(distinct) == 1:
        return distinct[0], place
    digest = hashlib.sha256(",".join(distinct).encode()).hexdigest()[:12]
    return ALL_INSTRUMENTS, f"{digest}-{place}" if place else digest
