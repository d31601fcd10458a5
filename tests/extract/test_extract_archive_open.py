"""The archive where nobody names a start or an end: it reaches from its first file to its last."""

from __future__ import annotations

import pytest

from extract.coverage import DAY_MS
from extract.landing import Landed
from extract.pool import run_all
from extract.subject import Subject
from extract.window import tasks_of, wanted_since
from lake.errors import NotPublishedError
from tests.extract.asking import Extraction
from tests.extract.bulk import AGGREGATES, BothWays, agg_lines, zipped
from tests.extract.conftest import Open
from tests.extract.small_server import SmallServer

JAN_1 = 1704067200000
JAN_11 = JAN_1 + 10 * DAY_MS


def published(*days: int) -> dict[str, bytes]:
    """Return daily files of January 2024 with ten aggregates each, ids running on."""
    files = {}
    for place, day in enumerate(days):
        start = JAN_1 + (day - 1) * DAY_MS
        path = AGGREGATES.format("daily", f"2024-01-{day:02}")
        files[path] = zipped(agg_lines(place * 10, range(start, start + 10)))
    return files


def land(spot: Extraction, *open_at: str) -> Landed:
    subject = Subject(
        *("binance", "spot", "BTCUSDT", "agg_trades", JAN_1, JAN_11, "archive"),
        starts_open="start" in open_at,
        ends_open="end" in open_at,
    )
    return run_all(tasks_of(spot.settings, spot.store, spot.client, subject, run_id="run"), 2)


def test_what_lies_before_the_first_file_and_behind_the_last_is_no_error(opened: Open) -> None:
    with SmallServer(route=BothWays(JAN_11, files=published(4, 5, 6))) as server:
        spot = opened(server)

        landed = land(spot, "start", "end")
        again = land(spot, "start", "end")

    assert (landed.files_created, landed.rows) == (3, 30)
    assert again.files_created == 0


@pytest.mark.parametrize(
    ("days", "open_at"),
    [
        ((4, 6, 10), ("start", "end")),
        ((4, 5, 6), ("end",)),
        ((1, 2, 3), ("start",)),
        ((), ("start", "end")),
    ],
    ids=["a hole between files", "a start that was named", "an end that was named", "no file"],
)
def test_any_other_file_that_is_not_published_is_one(
    opened: Open, days: tuple[int, ...], open_at: tuple[str, ...]
) -> None:
    with (
        SmallServer(route=BothWays(JAN_11, files=published(*days))) as server,
        pytest.raises(NotPublishedError, match="not published yet"),
    ):
        land(opened(server), *open_at)


def test_a_start_that_nobody_names_is_the_first_bars_day_until_a_file_is_held(
    opened: Open,
) -> None:
    exchange = BothWays(JAN_11, files=published(4, 5, 6), bar_ms=DAY_MS)
    with SmallServer(route=exchange) as server:
        spot = opened(server, f"exchanges.binance.spot.rest_url={server.url}")
        of = {"exchange": "binance", "kind": "spot", "instrument": "BTCUSDT"}

        def since() -> int:
            return wanted_since(
                spot.settings, spot.store, spot.client, dataset="agg_trades", mode="archive", **of
            )

        before = since()
        land(spot, "start", "end")

        assert since() == JAN_1 + 3 * DAY_MS
        assert before < JAN_1
