"""The plan of a run: counted where ids are known, bounded by time elsewhere, never what is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from extract.client import Client
from extract.coverage import Gap
from extract.foresight import foresee, weight_per_minute
from extract.plan import (
    Estimate,
    Pages,
    Plan,
    adjoining,
    by_bars,
    by_ids,
    by_time,
    lasting,
    pages_of,
    sized,
)
from extract.replay.exchange import ReplayExchange
from extract.subject import Subject
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.asking import Extraction

DAY_MS = 86_400_000
JAN_1 = 1_704_067_200_000
TWO_HOURS_LATER = JAN_1 + 7_200_000
TAPE_START, TAPE_END = 1_723_161_360_000, 1_723_162_200_000
PAGES = Pages("http://a", rows=1000, weight=4, row_bytes=125, aside=3, rows_per_day=86_400)
MakeSettings = Callable[..., Settings]
MakeClient = Callable[[Settings], Client]
Foreseen = Callable[[Subject], Estimate]


@pytest.mark.parametrize(
    ("first", "last", "pages"),
    [
        (0, 999, 1),
        (0, 1000, 2),
        (5, 4, 0),
        (7, 7, 1),
        # 4,500 to 4,999 end a file; 5,000 to 9,999 is whole; 10,000 to 10,001 begins one
        (4500, 10_001, 1 + 5 + 1),
        (0, 24_999, 25),
    ],
)
def test_pages_end_where_files_do(first: int, last: int, pages: int) -> None:
    assert pages_of(first, last, per_page=1000, per_file=5000) == pages


def test_known_ids_are_counted_with_the_questions_beside_them() -> None:
    found = by_ids(PAGES, [(0, 1999), (10, 9)], per_file=5000)

    assert found == Estimate("http://a", 5, 20, 2000, 250_000, is_bound=False, files=1)


def test_a_window_of_unknown_ids_takes_the_busiest_day() -> None:
    hour = Gap(JAN_1, JAN_1 + 3_600_000)

    assert by_time(PAGES, [hour], JAN_1, per_file=1000) == Estimate(
        "http://a", 7, 28, 3600, 450_000, is_bound=True, files=4
    )


def test_a_window_since_1970_is_no_longer_than_the_exchanges_are_old() -> None:
    since_1970, since_2016 = Gap(0, JAN_1), Gap(1_451_606_400_000, JAN_1)

    found = [by_time(PAGES, [gap], JAN_1, per_file=1000) for gap in (since_1970, since_2016)]
    assert found[0] == found[1]


def test_a_host_that_answers_two_days_back_is_asked_no_more() -> None:
    pages, year = replace(PAGES, days_back=2), Gap(JAN_1 - 365 * DAY_MS, JAN_1)

    assert by_time(pages, [year], JAN_1, per_file=9).rows == 2 * 86_400
    assert by_time(pages, [Gap(0, JAN_1 - 3 * DAY_MS)], JAN_1, per_file=9).rows == 0


def test_bars_are_exact() -> None:
    found = by_bars(PAGES, [Gap(JAN_1, JAN_1 + DAY_MS)], 60_000, per_file=50_000)

    assert (found.rows, found.requests) == (1440, 2 + 3)


def test_the_turn_of_a_month_asks_for_no_id_of_its_own() -> None:
    month, later = Gap(0, 10, after_id=4), Gap(10, 20)

    assert adjoining([month, later]) == [Gap(0, 20, after_id=4)]
    assert adjoining([Gap(0, 10, before_id=5), later]) == [Gap(0, 10, before_id=5), later]


def test_hosts_are_asked_side_by_side_and_the_archive_has_no_limit() -> None:
    slow = Estimate("http://a", 30, 100, 1, 10)
    fast = Estimate("http://b", 30, 100, 1, 10)
    archive = Estimate("http://archive", 2, 9_999, 1, 10, is_bound=True)

    plan = Plan([slow, slow, fast, archive], {"http://a": 60, "http://b": 6000})

    assert (plan.requests, plan.bytes, plan.rows, plan.seconds) == (92, 40, 4, 200)
    assert str(plan) == (
        "92 requests, 40 B and 3 min at the exchanges' limits,"
        " at most: 1 of 4 parts are upper bounds"
    )


@pytest.mark.parametrize(
    ("count", "text"),
    [(999, "999 B"), (1000, "1.0 kB"), (1_290_000_000, "1.2 GB"), (5 * 10**15, "5,000.0 TB")],
)
def test_sizes_are_said_in_words(count: int, text: str) -> None:
    assert sized(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (601, "10 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h")],
)
def test_times_are_said_in_words(seconds: int, text: str) -> None:
    assert lasting(seconds) == text


def test_what_the_limits_grant_a_minute_is_our_share_of_them(settings_of: MakeSettings) -> None:
    settings = settings_of(
        None,
        "exchanges.binance.spot.rest_url=http://spot",
        "exchanges.deribit.history_url=http://history",
        "exchanges.deribit.requests_per_second=18",
        "extract.limit_share=0.5",
    )

    granted = weight_per_minute(settings)

    assert (granted["http://spot"], granted["http://history"]) == (3000, 540)


def spot(dataset: Dataset = "agg_trades", end_ms: int = TWO_HOURS_LATER) -> Subject:
    return Subject("binance", "spot", "BTCUSDT", dataset, JAN_1, end_ms)


def test_two_recorded_hours_end_within_a_fifth_of_the_plan(
    own_exchange: ReplayExchange,
    store: FolderStore,
    settings_of: MakeSettings,
    client_of: MakeClient,
) -> None:
    settings = settings_of(own_exchange)
    planned = foresee(settings, store, client_of(settings), spot(), probe=True)
    asked_by_the_plan = own_exchange.requests.count()

    landed = Extraction(settings, store, client_of(settings)).trades(
        "BTCUSDT", JAN_1, TWO_HOURS_LATER
    )

    assert asked_by_the_plan == 2
    assert planned.is_bound is False
    assert planned.rows == 76_343 == landed.rows
    assert landed.requests * 4 <= planned.requests * 5 <= landed.requests * 6
    assert landed.bytes * 4 <= planned.bytes * 5 <= landed.bytes * 6


def test_what_is_held_does_not_count(
    own_exchange: ReplayExchange,
    store: FolderStore,
    settings_of: MakeSettings,
    client_of: MakeClient,
) -> None:
    settings, end = settings_of(own_exchange), JAN_1 + 600_000
    client = client_of(settings)
    Extraction(settings, store, client).trades("BTCUSDT", JAN_1, end)
    Extraction(settings, store, client).bars("BTCUSDT", JAN_1, TWO_HOURS_LATER, interval="1h")
    own_exchange.requests.clear()

    assert foresee(settings, store, client, spot(end_ms=end), probe=True) == Estimate()
    assert foresee(settings, store, client, spot("klines"), probe=True) == Estimate()
    assert own_exchange.requests.count() == 0


def test_without_questions_the_window_bounds_the_trades(
    own_exchange: ReplayExchange,
    store: FolderStore,
    settings_of: MakeSettings,
    client_of: MakeClient,
) -> None:
    settings = settings_of(own_exchange)

    found = foresee(settings, store, client_of(settings), spot(), probe=False)

    assert own_exchange.requests.count() == 0
    assert found.is_bound is True
    assert found.rows == 1_250_000  # two hours of 15 million a day


@pytest.fixture
def foreseen(
    exchange: ReplayExchange, store: FolderStore, settings_of: MakeSettings, client_of: MakeClient
) -> Foreseen:
    """Return what makes the estimate of an empty lake."""
    settings = settings_of(exchange)

    def make(subject: Subject) -> Estimate:
        return foresee(settings, store, client_of(settings), subject, probe=True)

    return make


def test_a_short_burst_is_counted_and_no_hole(foreseen: Foreseen) -> None:
    """A second of 15 million a day would be 174 aggregates; the busiest recorded one had more."""
    second = Subject(
        "binance", "spot", "BTCUSDT", "agg_trades", 1_704_080_638_000, 1_704_080_639_000
    )

    found = foreseen(second)

    assert found.is_bound is False
    assert found.rows == 938


def test_an_id_range_that_no_day_can_have_is_taken_for_a_hole(foreseen: Foreseen) -> None:
    """Behind the recorded day the next aggregate is of 2025: 857 million ids later."""
    found = foreseen(spot(end_ms=JAN_1 + DAY_MS))

    assert (found.rows, found.is_bound) == (15_000_000, True)


@pytest.mark.parametrize(
    ("venue", "kind", "instrument", "dataset", "rows"),
    [
        ("binance", "usdm", "BTCUSDT", "agg_trades", 2707),
        ("binance", "coinm", "ETHUSD_PERP", "agg_trades", 961),
        ("deribit", "future", "BTC-PERPETUAL", "trades", 908),
    ],
)
def test_a_whole_tape_is_counted_by_its_ids(
    foreseen: Foreseen, venue: str, kind: str, *, instrument: str, dataset: Dataset, rows: int
) -> None:
    found = foreseen(Subject(venue, kind, instrument, dataset, TAPE_START, TAPE_END))

    assert (found.rows, found.is_bound) == (rows, False)


def test_the_archive_is_two_answers_a_day_and_counts_zipped_bytes(foreseen: Foreseen) -> None:
    window = (JAN_1 + 5, JAN_1 + DAY_MS + 5)

    found = foreseen(Subject("binance", "usdm", "BTCUSDT", "agg_trades", *window, "archive"))

    assert (found.requests, found.weight, found.bytes) == (4, 0, 2 * 15_000_000 * 14)


def test_a_month_of_the_archive_is_two_answers(foreseen: Foreseen) -> None:
    month = (JAN_1, JAN_1 + 31 * DAY_MS)

    found = foreseen(Subject("binance", "usdm", "BTCUSDT", "klines", *month, "archive", "1m"))

    assert (found.requests, found.weight, found.rows) == (2, 0, 31 * 1440)


def test_auto_is_the_archives_closed_days_and_the_rest_by_rest(foreseen: Foreseen) -> None:
    """The clock stands at noon of 2025-09-03."""
    noon = 1_756_900_800_000
    window = (noon - 3 * DAY_MS // 2, noon)
    by_rest = foreseen(
        Subject("binance", "spot", "BTCUSDT", "klines", noon - DAY_MS // 2, noon, "rest", "1m")
    )

    found = foreseen(Subject("binance", "spot", "BTCUSDT", "klines", *window, "auto", "1m"))

    assert found.rows == 1440 + 720
    assert found.requests == 2 + by_rest.requests
    assert (found.base, found.weight) == (by_rest.base, by_rest.weight)


def test_a_missing_key_is_said_before_anything_is_asked(foreseen: Foreseen) -> None:
    with pytest.raises(UsageError, match="API key"):
        foreseen(Subject("binance", "usdm", "BTCUSDT", "trades", TAPE_START, TAPE_END))
