"""The minute service against a replay exchange whose clock is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from extract.minute import service
from extract.minute.desk import Desk
from extract.minute.service import HostPoll
from extract.minute.wanted import Instrument, by_host
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.bronze import parse_name
from lake.clock import to_millis
from lake.objects import FolderStore
from tests.extract.asking import bodies, lines
from tests.extract.conftest import MakeSettings, SleepingClock
from tests.extract.moving_exchange import claims, moving_exchange, polled, prices

#: By the exchange's clock, within what the generated tapes hold.
START = datetime(2024, 8, 9, 0, 5, 20, tzinfo=UTC)
MINUTE = 60_000
#: 00:04, the minute that ended last.
ENDED = to_millis(START.replace(minute=4, second=0))
INDEXES = ("btc_usd", "eth_usd")
BTC, ETH = "deribit/future/BTC-PERPETUAL", "deribit/future/ETH-PERPETUAL"
USDM = "binance/usdm/BTCUSDT"
SKEWS = [-40.25, 0, 17.5]
Moving = Callable[..., tuple[ReplayExchange, SleepingClock]]


@pytest.fixture
def moving() -> Iterator[Moving]:
    """Open an exchange that shows START, so many seconds ahead of our clock, and runs with it."""
    with ExitStack() as opened:

        def make(ahead_seconds: float = 0) -> tuple[ReplayExchange, SleepingClock]:
            clock = SleepingClock(START - timedelta(seconds=ahead_seconds))
            return opened.enter_context(moving_exchange(clock, START)), clock

        yield make


@pytest.mark.parametrize("ahead", SKEWS)
def test_prices_are_asked_for_after_the_delay_by_the_exchanges_clock(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
    ahead: float,
) -> None:
    exchange, clock = moving(ahead)
    settings = settings_of(exchange)

    tally = polled(settings, store, clock, indexes=INDEXES, times=3)

    found = prices(store)
    assert sorted(found) == [ENDED, ENDED + MINUTE, ENDED + 2 * MINUTE]
    assert [len(times) for times in found.values()] == [2, 2, 2]
    # the first minute ended before we came
    for minute in sorted(found)[1:]:
        for answered in found[minute]:
            assert 3_500_000 <= answered - (minute + MINUTE) * 1000 < 3_600_000
    assert (tally.polls, tally.landed.files_created, tally.landed.rows) == (3, 3, 6)
    assert (tally.missed, tally.failed) == (0, 0)


def test_a_file_of_a_minute_holds_every_index_under_its_name(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    polled(settings_of(exchange), store, clock, indexes=INDEXES)

    (key,) = bodies(store, "bronze/index_prices/")
    name = parse_name(key)
    assert (name.kind, name.instrument, name.mode) == ("index", "_all", "history")
    assert (name.coverage.from_ms, name.coverage.until_ms) == (ENDED, ENDED + MINUTE)
    envelopes = lines(store, key)
    assert [one["instrument"] for one in envelopes] == list(INDEXES)
    assert all(one["end_download_timestamp"] for one in envelopes)


def test_two_schedulers_land_a_minute_once(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange)
    (wanted,) = by_host(INDEXES, [Instrument.of(BTC)])
    schedulers = [
        HostPoll(Desk.of(settings, store, wanted, run_id=f"run-{n}", clock=clock)) for n in (1, 2)
    ]

    for scheduler in schedulers * 2:
        scheduler.desk.ask_time()
        scheduler.poll(ENDED)
        clock.sleep(1)

    first, second = (one.tally.landed for one in schedulers)
    assert (first.files_created, second.files_created) == (2, 0)
    # one saw by the names that all was there, and then asked, as one that runs beside would
    assert (first.files_held, second.files_held) == (1, 1)
    assert len(bodies(store)) == 2


def test_two_regions_land_a_minute_each_under_a_name_of_its_own(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()

    for region in ("us-east-1", "ap-northeast-1"):
        placed = settings_of(exchange, f"lake.region={region}")
        tally = polled(placed, store, clock, indexes=INDEXES)
        assert (tally.landed.files_created, tally.landed.files_held) == (1, 0)

    tags = [parse_name(key).tag.partition("-") for key in bodies(store, "bronze/index_prices/")]
    assert {region for _, _, region in tags} == {"us-east-1", "ap-northeast-1"}
    assert len({digest for digest, _, _ in tags}) == 1


def test_a_price_that_came_too_early_stands_for_the_minute_before_and_is_asked_again(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    # the exchange says twice that it is 50 seconds later than it is
    exchange.order(Fault("clock_skew", path="*/get_time", seconds=50, times=2))

    tally = polled(settings_of(exchange), store, clock, indexes=("btc_usd",))

    found = prices(store)
    assert sorted(found) == [ENDED, ENDED + MINUTE]
    assert found[ENDED + MINUTE][0] >= (ENDED + 2 * MINUTE) * 1000 + 3_500_000
    assert tally.missed == 0


def test_minutes_of_a_dead_exchange_are_missing_and_their_bars_are_fetched_afterwards(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange, "minute.attempts=1")
    polled(settings, store, clock, indexes=("btc_usd",), bars=(BTC,))
    exchange.order(Fault("server_error", segment="deribit", times=8))

    tally = polled(settings, store, clock, indexes=("btc_usd",), bars=(BTC,), times=5)

    minutes = [ENDED + step * MINUTE for step in range(5)]
    assert sorted(prices(store)) == [minutes[0], *minutes[3:]]
    assert claims(store) == [(minute, "1m") for minute in minutes]
    assert tally.missed == 2
    assert tally.failed == 4
    assert "HTTP 502" in str(tally.failure)


def test_after_the_service_was_down_its_bars_are_fetched_and_its_prices_are_told_missing(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange)
    polled(settings, store, clock, indexes=INDEXES, bars=(BTC, USDM))
    clock.sleep(300)

    tally = polled(settings, store, clock, indexes=INDEXES, bars=(BTC, USDM))

    assert sorted(prices(store)) == [ENDED, ENDED + 5 * MINUTE]
    assert tally.missed == 8
    expected = [(ENDED + step * MINUTE, "1m") for step in range(6) for _ in range(2)]
    assert claims(store) == expected


def test_no_bar_is_asked_for_beyond_what_is_to_be_filled(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange, "minute.backfill_minutes=2")
    polled(settings, store, clock, bars=(BTC,))
    clock.sleep(300)

    polled(settings, store, clock, bars=(BTC,))

    assert [time for time, _ in claims(store)] == [ENDED, ENDED + 5 * MINUTE]


@pytest.mark.parametrize("instrument", [BTC, USDM])
def test_a_bar_that_was_asked_too_early_claims_nothing_and_is_asked_again(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
    instrument: str,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange)
    # when the service first looks, and when it looks again, the exchange's clock seems later
    exchange.order(Fault("clock_skew", path="*/*time", seconds=50, times=2))

    tally = polled(settings, store, clock, bars=(instrument,))

    early, final = sorted(map(parse_name, bodies(store, "bronze/klines/")), key=_tag)[::-1]
    opened = ENDED + MINUTE
    assert early.tag.startswith("1m-early-")
    assert int(early.tag.rpartition("-")[2]) < opened + MINUTE + 3500
    assert early.coverage.from_ms == early.coverage.until_ms == opened
    assert claims(store) == [(opened, "1m")]
    answered = _exchange_clock_ms(store, final.key)
    assert answered >= opened + MINUTE + 2500
    assert tally.landed.rows == 1


def test_an_interval_of_five_minutes_brings_the_bars_of_each_minute(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange, "minute.interval_seconds=300")

    polled(settings, store, clock, indexes=("btc_usd",), bars=(BTC,), times=2)

    start = to_millis(START.replace(minute=0, second=0))
    assert sorted(prices(store)) == [start, start + 5 * MINUTE]
    assert [time for time, _ in claims(store)] == [ENDED + step * MINUTE for step in range(6)]


def test_many_instruments_share_files(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    settings = settings_of(exchange, "extract.pack_above=1", "extract.workers=1")

    polled(settings, store, clock, bars=(BTC, ETH), times=2)
    again = polled(settings, store, clock, bars=(BTC, ETH))

    files = list(store.names("bronze/klines/"))
    assert len(files) == 2 * 2
    assert again.landed.rows == 0


def test_a_service_of_some_minutes_ends_by_the_exchanges_clock(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving(-40.25)

    tally = polled(settings_of(exchange), store, clock, indexes=("btc_usd",), seconds=180)

    assert tally.polls == 3 + 1
    assert clock.now() < START + timedelta(seconds=40.25 + 180)


def test_an_unknown_index_fails_alone(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    tally = polled(settings_of(exchange), store, clock, indexes=("btc_usd", "none_usd"))

    assert [len(times) for times in prices(store).values()] == [1]
    assert tally.missed == 1
    assert tally.failed == 1


def test_requests_keep_to_one_connection_each_and_leave_none_behind(
    settings_of: MakeSettings,
    store: FolderStore,
    moving: Moving,
) -> None:
    exchange, clock = moving()
    wanted = by_host(INDEXES, [])

    for _ in range(3):
        service.run(settings_of(exchange), store, wanted, run_id="r", clock=clock, times=1)

    assert {one.status for one in exchange.requests.last()} == {200}


def _tag(name: object) -> str:
    return name.tag  # type: ignore[attr-defined, no-any-return]


def _exchange_clock_ms(store: FolderStore, key: str) -> int:
    (line,) = lines(store, key)
    return int(json.loads(line["request"])["exchange_clock_ms"])
