"""Progress: what is counted, the rate and the time left, and how seldom a log is told."""

from __future__ import annotations

import io
import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.console import Console

from jobs.extraction.progress import Reading, Watch, clocked, now_and_then, on_terminal
from tests.set_clock import SetClock


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(0, 3, 0, 0, 0), "tasks=0/3 rows=0"),
        (Reading(1, 3, 50_000, 0, 2000), "tasks=1/3 rows=50,000 rate=25,000/s"),
        (
            Reading(1, 3, 50_000, 300_000_000, 2000),
            "tasks=1/3 rows=50,000 rate=25,000/s eta=3:19:58",
        ),
        (
            Reading(1, 3, 50_000, 300_000, 2000, 83),
            "tasks=1/3 rows=50,000 rate=25,000/s weight=83% eta=0:00:10",
        ),
        # the exchange has made more since it was planned
        (Reading(2, 3, 60, 50, 1000), "tasks=2/3 rows=60 rate=60/s eta=0:00:00"),
        (Reading(0, 3, 0, 50, 9000), "tasks=0/3 rows=0 rate=0/s"),
    ],
)
def test_a_reading_says_rate_and_time_left_where_they_are_known(
    reading: Reading, said: str
) -> None:
    assert str(reading) == said


def test_long_times_are_hours_minutes_seconds() -> None:
    assert [clocked(59), clocked(3661), clocked(360_000)] == ["0:00:59", "1:01:01", "100:00:00"]


def test_tasks_and_rows_of_all_threads_are_counted() -> None:
    shown: list[Reading] = []
    clock = SetClock()
    watch = Watch(clock, shown.append, tasks=50, rows_planned=5000, weight=lambda: 42)
    clock.sleep(2)

    def task(_: int) -> None:
        watch.landed(60)
        watch.landed(40)
        watch.task_done()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(task, range(50)))

    assert len(shown) == 150
    assert shown[-1] == Reading(50, 50, 5000, 5000, 2000, 42)
    assert [reading.rows for reading in shown] == sorted(reading.rows for reading in shown)


def test_a_log_is_told_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    clock = SetClock()
    with caplog.at_level(logging.INFO, logger="jobs.extraction.progress"):
        show = now_and_then(clock)
        for second in range(40):
            show(Reading(0, 1, second * 100, 0, second * 1000))
            clock.sleep(1)

    assert [record.getMessage() for record in caplog.records] == [
        "extracting tasks=0/1 rows=1,500 rate=100/s",
        "extracting tasks=0/1 rows=3,000 rate=100/s",
    ]


def test_a_terminal_shows_one_line_and_logs_above_it() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    logger, before = logging.getLogger(), logging.getLogger().handlers[:]
    handler = logging.StreamHandler(io.StringIO())
    own_stream = handler.stream
    logger.handlers[:] = [handler]
    try:
        with on_terminal(console, tasks=2, rows_planned=200) as show:
            show(Reading(1, 2, 100, 200, 1000))
            logger.warning("a host is slow")
        assert handler.stream is own_stream
    finally:
        logger.handlers[:] = before

    assert "extracting" in screen.getvalue()
    assert "tasks=1/2 rows=100 rate=100/s eta=0:00:01" in screen.getvalue()
    assert "a host is slow" in screen.getvalue()
    assert own_stream.getvalue() == ""
