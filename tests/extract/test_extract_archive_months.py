"""The archive by months and days: files side by side, a month's own file before its days."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from extract.coverage import DAY_MS
from extract.pool import run_all
from extract.subject import Subject
from extract.window import tasks_of
from lake.bronze import Coverage, parse_name
from lake.errors import NotPublishedError
from tests.extract.asking import bodies, lines
from tests.extract.bulk import AGGREGATES, BARS, agg_line, agg_lines, publishing, zipped
from tests.extract.conftest import Open
from tests.extract.small_server import Scripted, SmallServer

DEC_31, JAN_1, FEB_1, FEB_3 = 1703980800000, 1704067200000, 1706745600000, 1706918400000
MONTH = AGGREGATES.format("monthly", "2024-01")
HOUR = 3_600_000


def of_day(day: int) -> str:
    """Return the path of the daily file of this day of January 2024."""
    return AGGREGATES.format("daily", f"2024-01-{day:02}")


def january() -> dict[str, bytes]:
    """Return a daily file for each day of January 2024: ten aggregates, ids running on."""
    return {
        of_day(day): zipped(agg_lines((day - 1) * 10, range(start, start + 10)))
        for day, start in enumerate(range(JAN_1, FEB_1, DAY_MS), start=1)
    }


def test_days_are_landed_side_by_side(opened: Open) -> None:
    meeting, publish = threading.Barrier(3, timeout=10), publishing(january())

    def route(path: str) -> Scripted:
        if not path.endswith(".CHECKSUM"):
            meeting.wait()
        return publish(path)

    with SmallServer(route=route) as server:
        spot = opened(server, "extract.workers=3")
        landed = spot.trades("BTCUSDT", JAN_1, JAN_1 + 3 * DAY_MS, source="archive")

    assert (landed.files_created, landed.rows, landed.requests) == (3, 30, 6)


def test_a_whole_month_is_one_file_and_days_around_it_are_their_own(opened: Open) -> None:
    text = "".join(agg_line(number + 1, JAN_1 + number * DAY_MS // 100) for number in range(3100))
    files = {
        AGGREGATES.format("daily", "2023-12-31"): zipped(agg_line(0, DEC_31)),
        MONTH: zipped(text),
        AGGREGATES.format("daily", "2024-02-01"): zipped(agg_line(3101, FEB_1)),
        AGGREGATES.format("daily", "2024-02-02"): zipped(agg_line(3102, FEB_1 + DAY_MS)),
    }
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server, "extract.chunk_limit=2000")
        landed = spot.trades("BTCUSDT", DEC_31 + 1, FEB_3, source="archive")
        again = spot.trades("BTCUSDT", DEC_31 + 1, FEB_3, source="archive")

    assert {path.removesuffix(".CHECKSUM") for path in server.paths} == set(files)
    assert (landed.rows, again.requests) == (3103, 0)
    of_month = sorted(
        parse_name(key).coverage
        for key in bodies(spot.store, "bronze/agg_trades/")
        if "/2024-01/" in key
    )
    assert of_month == [
        Coverage(1, 2000, JAN_1, JAN_1 + 1999 * DAY_MS // 100),
        Coverage(2001, 3100, JAN_1 + 20 * DAY_MS + 1, FEB_1),
    ]
    found = [
        line["body"]
        for key in bodies(spot.store)
        if "/2024-01/" in key
        for line in lines(spot.store, key)
    ]
    assert sorted(b"".join(found).splitlines()) == sorted(text.encode().splitlines())


def test_a_month_without_a_file_of_its_own_is_taken_by_its_days(opened: Open) -> None:
    with SmallServer(route=publishing(january())) as server:
        spot = opened(server)
        landed = spot.trades("BTCUSDT", JAN_1, FEB_1, source="archive")
        again = spot.trades("BTCUSDT", JAN_1, FEB_1, source="archive")

    assert server.paths[0] == f"{MONTH}.CHECKSUM"
    assert (landed.files_created, landed.rows) == (31, 310)
    assert again.requests == 0


def test_a_month_begun_by_days_is_finished_by_days(opened: Open) -> None:
    files = january() | {MONTH: zipped(agg_line(0, JAN_1))}
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1 + DAY_MS, JAN_1 + 2 * DAY_MS, source="archive")
        spot.trades("BTCUSDT", JAN_1, FEB_1, source="archive")

    assert f"{MONTH}.CHECKSUM" not in server.paths
    assert len(set(server.paths)) == len(server.paths) == 62


def test_a_month_killed_among_its_parts_is_finished_from_its_own_zip(opened: Open) -> None:
    text = "".join(agg_line(number, JAN_1 + number * DAY_MS // 100) for number in range(3100))
    with SmallServer(route=publishing({MONTH: zipped(text)})) as server:
        spot = opened(server, "extract.chunk_limit=1000")
        spot.trades("BTCUSDT", JAN_1, FEB_1, source="archive")
        whole = bodies(spot.store)
        for key in sorted(whole)[1:]:
            spot.store.delete(key)
        resumed = spot.trades("BTCUSDT", JAN_1, FEB_1, source="archive")

    assert (resumed.requests, resumed.files_created, resumed.files_held) == (0, 3, 1)
    assert bodies(spot.store) == whole


def test_a_month_that_is_not_due_yet_is_not_asked_for(opened: Open) -> None:
    """It is noon of 2025-09-03 here; the first Monday of September was the 1st."""
    september, august = 1756684800000, 1754006400000
    files: dict[str, bytes] = {}
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server, "extract.workers=1")
        with pytest.raises(NotPublishedError):
            spot.trades("BTCUSDT", august, september, source="archive")
        with pytest.raises(NotPublishedError):
            spot.trades("BTCUSDT", september, september + 30 * DAY_MS, source="archive")

    asked = [path for path in server.paths if "/monthly/" in path]
    assert asked == [f"{AGGREGATES.format('monthly', '2025-08')}.CHECKSUM"]


def test_one_day_that_fails_leaves_the_others_landing(opened: Open) -> None:
    files = january()
    del files[of_day(2)]
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server)
        with pytest.raises(NotPublishedError, match="2024-01-02"):
            spot.trades("BTCUSDT", JAN_1, JAN_1 + 4 * DAY_MS, source="archive")

    assert len(bodies(spot.store)) == 3


def test_the_end_of_a_window_is_told_once_when_its_last_file_has_landed(opened: Open) -> None:
    subject = Subject(
        "binance", "spot", "BTCUSDT", "agg_trades", JAN_1, JAN_1 + 3 * DAY_MS, "archive"
    )
    with SmallServer(route=publishing(january())) as server:
        spot = opened(server)
        for run in ("first", "second"):
            held: list[int] = []
            tasks = tasks_of(
                spot.settings,
                spot.store,
                spot.client,
                subject,
                run_id=run,
                on_ended=lambda held=held: held.append(len(bodies(spot.store))),  # type: ignore[misc]
            )
            run_all(tasks, 2)
            assert held == [3]


def test_an_empty_day_between_others_is_not_asked_for_again(opened: Open) -> None:
    files = january() | {of_day(3): zipped("")}
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_1 + 5 * DAY_MS, source="archive")
        again = spot.trades("BTCUSDT", JAN_1, JAN_1 + 5 * DAY_MS, source="archive")

    assert (again.requests, again.files_held) == (0, 0)


def test_empty_days_hide_no_day_between_them(opened: Open) -> None:
    """Names of empty days have no ids, so they can't be placed among the others."""
    files = january() | {of_day(3): zipped(""), of_day(5): zipped("")}
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server)
        for day in (1, 3, 5):
            start = JAN_1 + (day - 1) * DAY_MS
            spot.trades("BTCUSDT", start, start + DAY_MS, source="archive")
        landed = spot.trades("BTCUSDT", JAN_1, JAN_1 + 5 * DAY_MS, source="archive")

    assert (landed.files_created, landed.rows) == (2, 20)


def test_ids_that_the_exchange_leaves_out_between_days_are_no_reason_to_land_again(
    opened: Open,
) -> None:
    files = {
        of_day(1): zipped(agg_line(1, JAN_1)),
        of_day(2): zipped(agg_line(5, JAN_1 + DAY_MS)),
    }
    with SmallServer(route=publishing(files)) as server:
        spot = opened(server)
        spot.trades("BTCUSDT", JAN_1, JAN_1 + 2 * DAY_MS, source="archive")
        again = spot.trades("BTCUSDT", JAN_1, JAN_1 + 2 * DAY_MS, source="archive")

    assert (again.requests, again.files_held) == (0, 0)


@pytest.mark.parametrize(("interval", "folder"), [("1h", "1h"), ("1M", "1mo")])
def test_bars_of_a_month_are_one_file(
    opened: Open, interval: str, folder: str, bars_of: Callable[[int, int], str]
) -> None:
    path = BARS.format("monthly", folder, folder, "2024-01")
    with SmallServer(route=publishing({path: zipped(bars_of(JAN_1, FEB_1))})) as server:
        spot = opened(server)
        landed = spot.bars("BTCUSDT", JAN_1, FEB_1, interval, "archive")
        again = spot.bars("BTCUSDT", JAN_1, FEB_1, interval, "archive")

    assert server.paths == [f"{path}.CHECKSUM", path]
    assert (landed.rows, again.requests) == (744, 0)
    ((key, _),) = bodies(spot.store).items()
    assert parse_name(key).coverage == Coverage(JAN_1, FEB_1 - 1, JAN_1, FEB_1)
    assert parse_name(key).tag.partition("-")[0] == interval


@pytest.fixture
def bars_of() -> Callable[[int, int], str]:
    """Lines of hourly bars of a window."""

    def lines_(from_ms: int, until_ms: int) -> str:
        times = range(from_ms, until_ms, HOUR)
        return "".join(f"{time},1,1,1,1,1,{time + HOUR - 1},1,1,1,1,0\n" for time in times)

    return lines_
