"""`auto`: the archive for closed days that are published, REST for the rest, and an exact seam."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from extract.coverage import DAY_MS
from extract.foresight import foresee
from extract.replay.exchange import ReplayExchange
from extract.subject import Subject
from lake.bronze import parse_name
from lake.errors import UnreachableError
from lake.objects import ObjectStore
from tests.extract.asking import Extraction, bodies, covered_ids
from tests.extract.bulk import AGGREGATES, BARS, BothWays, zipped
from tests.extract.conftest import Open
from tests.extract.small_server import Scripted, SmallServer

#: The clock of these tests stands at noon of 2025-09-03.
AUG_31, SEP_1, SEP_2, SEP_3 = 1756598400000, 1756684800000, 1756771200000, 1756857600000
NOON = SEP_3 + DAY_MS // 2
END = NOON - 3_600_000
HOUR = 3_600_000
#: A trade every hour, and three within the last and three within the first millisecond of a day.
TIMES = sorted([*range(AUG_31, NOON, HOUR), *[SEP_1 - 1, SEP_1, SEP_2 - 1, SEP_2, SEP_3] * 3])
TO_THE_END = sum(time < END for time in TIMES)
Serve = Callable[..., Extraction]


def first_of(time_ms: int) -> int:
    """Return the id of the first trade at or after a time."""
    return sum(time < time_ms for time in TIMES)


@pytest.fixture
def market() -> BothWays:
    """Trades of four days; of the closed ones the first and the second are published."""
    both = BothWays(NOON, TIMES)
    both.publish("daily", "2025-08-31", 0, first_of(SEP_1) - 1)
    both.publish("daily", "2025-09-01", first_of(SEP_1), first_of(SEP_2) - 1)
    return both


@pytest.fixture
def server(market: BothWays) -> Iterator[SmallServer]:
    with SmallServer(route=market) as running:
        yield running


@pytest.fixture
def spot(server: SmallServer, opened: Open) -> Extraction:
    rests = [f"exchanges.binance.{kind}.rest_url={server.url}" for kind in ("spot", "usdm")]
    return opened(server, *rests)


def ids_by_archive(store: ObjectStore) -> list[int]:
    """Return the ids of the archive's lines, each as often as it is held."""
    return sorted(
        int(line.partition(b",")[0])
        for key, pieces in bodies(store, "bronze/agg_trades/").items()
        if parse_name(key).mode == "archive"
        for piece in pieces
        for line in piece.splitlines()
    )


def ids_by_rest(store: ObjectStore) -> list[int]:
    """Return the ids that files of REST claim and hold, each as often as it is held."""
    held = [key for key in bodies(store, "bronze/agg_trades/") if "~history~" in key]
    return sorted(number for key in held for number in covered_ids(store, key))


def test_no_trade_is_missing_and_none_is_there_twice(spot: Extraction, server: SmallServer) -> None:
    landed = spot.trades("BTCUSDT", AUG_31, END, source="auto")
    again = spot.trades("BTCUSDT", AUG_31, END, source="auto")

    assert ids_by_archive(spot.store) == list(range(first_of(SEP_2)))
    assert ids_by_rest(spot.store) == list(range(first_of(SEP_2), TO_THE_END))
    assert landed.rows == TO_THE_END
    assert not any("2025-09-03" in path for path in server.paths)
    assert (again.requests, again.files_created) == (0, 0)


def test_rest_begins_at_the_id_after_the_archives_last_one_and_not_by_time(
    spot: Extraction, server: SmallServer, market: BothWays
) -> None:
    """The archive's last day lacks its last three trades, of 2025-09-01 23:59:59.999."""
    market.publish("daily", "2025-09-01", first_of(SEP_1), first_of(SEP_2) - 4)

    spot.trades("BTCUSDT", SEP_1, END, source="auto")

    assert ids_by_archive(spot.store)[-1] == first_of(SEP_2) - 4
    assert ids_by_rest(spot.store) == list(range(first_of(SEP_2) - 3, TO_THE_END))
    assert not any("startTime" in path for path in server.paths)


def test_the_seam_holds_where_a_month_turns(
    spot: Extraction, server: SmallServer, market: BothWays
) -> None:
    del market.files[AGGREGATES.format("daily", "2025-09-01")]

    spot.trades("BTCUSDT", SEP_1 - DAY_MS, SEP_2, source="auto")
    spot.trades("BTCUSDT", SEP_1, END, source="auto")

    assert ids_by_archive(spot.store) == list(range(first_of(SEP_1)))
    assert ids_by_rest(spot.store) == list(range(first_of(SEP_1), TO_THE_END))
    assert not any("startTime" in path for path in server.paths)


def test_a_day_that_is_not_published_between_others_comes_by_rest(
    spot: Extraction, market: BothWays
) -> None:
    del market.files[AGGREGATES.format("daily", "2025-09-01")]
    market.publish("daily", "2025-09-02", first_of(SEP_2), first_of(SEP_3) - 1)

    spot.trades("BTCUSDT", AUG_31, END, source="auto")

    middle, tail = range(first_of(SEP_1), first_of(SEP_2)), range(first_of(SEP_3), TO_THE_END)
    assert ids_by_rest(spot.store) == [*middle, *tail]
    assert sorted(ids_by_archive(spot.store) + ids_by_rest(spot.store)) == list(range(TO_THE_END))


def test_a_day_that_rest_has_begun_is_finished_by_rest(
    spot: Extraction, server: SmallServer
) -> None:
    spot.trades("BTCUSDT", SEP_1 + HOUR, SEP_1 + 5 * HOUR)
    spot.trades("BTCUSDT", AUG_31, END, source="auto")

    assert not any("2025-09-01" in path for path in server.paths)
    assert ids_by_archive(spot.store) == list(range(first_of(SEP_1)))
    assert ids_by_rest(spot.store) == list(range(first_of(SEP_1), TO_THE_END))


def test_the_plan_leaves_to_rest_what_the_run_does(spot: Extraction) -> None:
    """One day of files, and by REST the day that it has begun and those behind it."""
    spot.trades("BTCUSDT", SEP_1 + HOUR, SEP_1 + 5 * HOUR)
    subject = Subject("binance", "spot", "BTCUSDT", "agg_trades", AUG_31, END, "auto")

    planned = foresee(spot.settings, spot.store, spot.client, subject, probe=True)
    landed = spot.trades("BTCUSDT", AUG_31, END, source="auto")

    assert not planned.is_bound
    assert planned.rows == landed.rows
    # the plan can't know that the day before is not published yet: its file and its checksum
    assert landed.requests <= planned.requests <= landed.requests + 4
    checked = foresee(
        spot.settings, spot.store, spot.client, subject, probe=True, checks_again=True
    )
    assert (checked.requests, checked.rows) == (1, 0)


def test_of_futures_a_closed_day_comes_whole_from_the_archive(
    spot: Extraction, server: SmallServer, market: BothWays
) -> None:
    """REST gives them for two days only, so it can't finish what it has begun for ever."""
    usdm = Extraction(spot.settings, spot.store, spot.client, kind="usdm")
    for path, content in list(market.files.items()):
        market.files[path.replace("/spot/", "/futures/um/")] = content
    usdm.trades("BTCUSDT", SEP_2 - HOUR, SEP_2 - HOUR // 2)

    usdm.trades("BTCUSDT", AUG_31, END, source="auto")

    assert any("2025-09-01" in path for path in server.paths)
    assert ids_by_archive(usdm.store) == list(range(first_of(SEP_2)))


def test_a_hole_between_days_of_the_archive_is_filled_by_rest(
    spot: Extraction, market: BothWays
) -> None:
    market.publish("daily", "2025-08-31", 0, first_of(SEP_1) - 3)

    spot.trades("BTCUSDT", AUG_31, SEP_2, source="auto")

    assert ids_by_rest(spot.store) == [first_of(SEP_1) - 2, first_of(SEP_1) - 1]


def test_an_archive_that_does_not_answer_is_not_replaced_by_rest(
    opened: Open, market: BothWays
) -> None:
    def route(path: str) -> Scripted:
        return Scripted(b"", status=503) if path.startswith("/data/") else market(path)

    with SmallServer(route=route) as server:
        spot = opened(server, f"exchanges.binance.spot.rest_url={server.url}")
        with pytest.raises(UnreachableError):
            spot.trades("BTCUSDT", AUG_31, END, source="auto")

    assert bodies(spot.store) == {}


def test_bars_come_from_the_archive_up_to_its_last_day_and_by_rest_from_there(
    spot: Extraction, server: SmallServer, market: BothWays
) -> None:
    opens = range(SEP_1, SEP_2, HOUR)
    lines = "".join(f"{time},1,1,1,1,1,{time + HOUR - 1},1,1,1,1,0\n" for time in opens)
    market.files[BARS.format("daily", "1h", "1h", "2025-09-01")] = zipped(lines)

    landed = spot.bars("BTCUSDT", SEP_1, END, "1h", "auto")
    again = spot.bars("BTCUSDT", SEP_1, END, "1h", "auto")

    assert (landed.rows, again.requests) == (24 + 24 + 11, 0)
    held = sorted(parse_name(key).coverage for key in bodies(spot.store))
    assert [(one.from_ms, one.until_ms) for one in held] == [(SEP_1, SEP_2), (SEP_2, END)]
    (asked,) = (path for path in server.paths if "/klines?" in path)
    assert f"startTime={SEP_2}" in asked


def test_an_exchange_without_an_archive_is_asked_by_rest(
    exchange: ReplayExchange, opened: Open
) -> None:
    spot = opened(exchange)
    deribit = Extraction(spot.settings, spot.store, spot.client, "deribit", "future")
    start = 1723161360000

    by_auto = deribit.trades("BTC-PERPETUAL", start, start + 60_000, "trades", "auto")

    assert by_auto.rows > 0
    assert {parse_name(key).mode for key in bodies(spot.store)} == {"history"}
