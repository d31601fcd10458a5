"""The whole way from the replay exchange to bronze, for every market."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from extract.client import Client
from extract.host import Hosts
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from extract.window import wanted_since
from lake.bronze import Coverage, parse_name
from lake.errors import BannedError, PermanentExtractError, UnreachableError, UsageError
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.asking import Extraction, bodies, covered_ids, lines
from tests.extract.conftest import SleepingClock

MakeSettings = Callable[..., Settings]
# BTCUSDT aggTrades of 2025-09-01 as recorded: 1,337 of them before 00:02
SPOT_START, SPOT_END = 1756684800000, 1756684920000
SPOT_FIRST, SPOT_ROWS = 3664796852, 1337
# the generated tapes of futures and Deribit
FUTURES_START, FUTURES_END = 1723161360000, 1723162200000

Open = Callable[..., Extraction]


@pytest.fixture
def opened(
    store: FolderStore, settings_of: MakeSettings, clock: SleepingClock, hosts: Hosts
) -> Open:
    def open_(
        exchange: ReplayExchange, venue: str = "binance/spot", *overrides: str, into: str = ""
    ) -> Extraction:
        settings = settings_of(exchange, "extract.chunk_limit=1000", *overrides)
        lake = FolderStore(store.root / into) if into else store
        name, kind = venue.split("/")
        return Extraction(settings, lake, Client(settings, clock=clock, hosts=hosts), name, kind)

    return open_


def test_spot_aggregates_land_whole_on_the_grid(exchange: ReplayExchange, opened: Open) -> None:
    spot = opened(exchange)

    landed = spot.trades("BTCUSDT", SPOT_START, SPOT_END)

    assert (landed.files_created, landed.rows) == (3, SPOT_ROWS)
    assert [parse_name(key).coverage for key in spot.store.names("bronze/")] == [
        Coverage(3664796852, 3664796999, 1756684800000, 1756684810104),
        Coverage(3664797000, 3664797999, 1756684810105, 1756684888533),
        Coverage(3664798000, 3664798188, 1756684888672, 1756684920000),
    ]
    assert covered_ids(spot.store, "bronze/") == list(range(SPOT_FIRST, SPOT_FIRST + SPOT_ROWS))


@pytest.mark.parametrize(
    ("venue", "instrument", "dataset"),
    [
        ("binance/usdm", "BTCUSDT", "agg_trades"),
        ("binance/coinm", "BTCUSD_PERP", "agg_trades"),
        ("deribit/future", "BTC-PERPETUAL", "trades"),
        ("deribit/option", "BTC-9AUG24-60000-C", "trades"),
        ("deribit/future_combo", "BTC-FS-27SEP24_PERP", "trades"),
    ],
)
def test_a_second_run_makes_no_request_and_lands_nothing(
    own_exchange: ReplayExchange, opened: Open, venue: str, instrument: str, dataset: str
) -> None:
    once = opened(own_exchange, venue)
    first = once.trades(instrument, FUTURES_START, FUTURES_END, dataset)  # type: ignore[arg-type]
    bars = once.bars(instrument, FUTURES_START, FUTURES_END)
    held, asked = bodies(once.store), own_exchange.requests.count()

    again = opened(own_exchange, venue)
    second = again.trades(instrument, FUTURES_START, FUTURES_END, dataset)  # type: ignore[arg-type]
    second += again.bars(instrument, FUTURES_START, FUTURES_END)

    assert first.rows > 0
    assert bars.rows > 0
    assert own_exchange.requests.count() == asked
    assert (second.requests, second.files_created, second.files_held) == (0, 0, 0)
    assert bodies(once.store) == held


@pytest.mark.parametrize(
    ("venue", "instrument", "window"),
    [
        ("binance/spot", "BTCUSDT", (SPOT_START, SPOT_END)),
        ("binance/coinm", "BTCUSD_PERP", (FUTURES_START, FUTURES_END)),
        ("deribit/spot", "BTC_USDC", (FUTURES_START, FUTURES_END)),
    ],
)
def test_each_body_is_byte_for_byte_what_the_recorded_request_is_answered(
    exchange: ReplayExchange, opened: Open, venue: str, instrument: str, window: tuple[int, int]
) -> None:
    asked = opened(exchange, venue)
    asked.instruments()
    asked.trades(instrument, *window, "trades" if "deribit" in venue else "agg_trades")
    bar_start = 1704067200000 if venue == "binance/spot" else window[0]
    asked.bars(instrument, bar_start, bar_start + 3_600_000, "1h")

    checked = set()
    for key in asked.store.names("bronze/"):
        checked.add(parse_name(key).dataset)
        for line in lines(asked.store, key):
            request = json.loads(line["request"])
            answer = requests.get(request["url"], params=request["params"], timeout=10)
            assert line["body"] == answer.content
    assert len(checked) == 3


def test_spot_trades_are_paged_by_their_own_ids(exchange: ReplayExchange, opened: Open) -> None:
    start, end = 1742944020000, 1742944080000  # 2025-03-25 23:07 to 23:08, recorded from the stream
    spot = opened(exchange)

    landed = spot.trades("BTCUSDT", start, end, "trades")

    ids = covered_ids(spot.store, "bronze/trades", "id")
    assert landed.rows == len(ids) > 100
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_windows_that_adjoin_hold_each_trade_once(exchange: ReplayExchange, opened: Open) -> None:
    spot = opened(exchange)
    middle = SPOT_START + 30_000

    spot.trades("BTCUSDT", SPOT_START, middle)
    spot.trades("BTCUSDT", middle, SPOT_END)

    assert covered_ids(spot.store, "bronze/") == list(range(SPOT_FIRST, SPOT_FIRST + SPOT_ROWS))


@pytest.mark.parametrize("survived", [0, 1, 2])
def test_a_run_that_was_killed_is_finished_with_the_same_objects(
    exchange: ReplayExchange, opened: Open, survived: int
) -> None:
    whole = opened(exchange, "binance/spot", into="whole")
    whole.trades("BTCUSDT", SPOT_START, SPOT_END)

    class Killed(FolderStore):
        left = survived

        def create(self, key: str, content: bytes) -> bool:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().create(key, content)

    broken = opened(exchange, "binance/spot", into="broken")
    killed = Extraction(broken.settings, Killed(broken.store.root), broken.client)  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        killed.trades("BTCUSDT", SPOT_START, SPOT_END)
    resumed = broken.trades("BTCUSDT", SPOT_START, SPOT_END)

    assert resumed.files_created == 3 - survived
    assert bodies(broken.store) == bodies(whole.store)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("rate_limited", path="*/aggTrades", after=1, retry_after=9),
        Fault("server_error", path="*/aggTrades", after=1, times=3),
        Fault("stall", path="*/aggTrades", after=1, seconds=2),
        Fault("cut_body", path="*/aggTrades", after=1),
        Fault("half_body", path="*/aggTrades", after=2),
        Fault("html", path="*/aggTrades", after=1),
        Fault("error_object", path="*/aggTrades", after=1),
        Fault("empty_page", path="*/aggTrades", after=2),
        Fault("duplicated_page", path="*/aggTrades", after=2),
        Fault("reversed_page", path="*/aggTrades", after=2),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_passing_fault_leaves_the_same_objects_as_none(
    own_exchange: ReplayExchange, exchange: ReplayExchange, opened: Open, fault: Fault
) -> None:
    sound = opened(exchange, "binance/spot", into="sound")
    sound.trades("BTCUSDT", SPOT_START, SPOT_END)
    opened(own_exchange, into="warm").trades("BTCUSDT", SPOT_START, SPOT_START + 1)
    own_exchange.order(fault)

    tried = opened(own_exchange, "binance/spot", "extract.read_timeout_seconds=0.5", into="tried")
    tried.trades("BTCUSDT", SPOT_START, SPOT_END)

    assert own_exchange.faults_left() == []
    assert bodies(tried.store) == bodies(sound.store)


@pytest.mark.parametrize("kind", ["empty_page", "reversed_page"])
def test_a_page_that_stays_impossible_fails_the_task_and_keeps_what_landed(
    own_exchange: ReplayExchange, opened: Open, kind: str
) -> None:
    own_exchange.order(Fault(kind, path="*/aggTrades", after=2, times=100))
    spot = opened(own_exchange)

    with pytest.raises(UnreachableError, match="6 attempts"):
        spot.trades("BTCUSDT", SPOT_START, SPOT_END)

    assert len(bodies(spot.store)) == 1


def test_a_ban_stops_at_once_and_the_next_call_sends_nothing(
    own_exchange: ReplayExchange, opened: Open
) -> None:
    own_exchange.order(Fault("banned", path="*/aggTrades", after=1, retry_after=120))
    spot = opened(own_exchange)

    with pytest.raises(BannedError):
        spot.trades("BTCUSDT", SPOT_START, SPOT_END)
    asked = own_exchange.requests.count()
    with pytest.raises(BannedError):
        spot.trades("ETHUSDT", SPOT_START, SPOT_END)

    assert own_exchange.requests.count() == asked


@pytest.mark.parametrize(
    "kind", ["bad_price", "negative_quantity", "same_id", "missing_field", "future_time", "too_big"]
)
def test_bad_content_lands_beside_every_good_row(
    own_exchange: ReplayExchange, opened: Open, kind: str
) -> None:
    own_exchange.order(Fault(kind, path="*/aggTrades", after=2, times=2))
    spot = opened(own_exchange)

    spot.trades("BTCUSDT", SPOT_START, SPOT_END)

    everything = range(SPOT_FIRST, SPOT_FIRST + SPOT_ROWS)
    assert set(covered_ids(spot.store, "bronze/")) == set(everything)
    assert spot.client.requests < 12


def test_an_open_window_claims_nothing_beyond_its_last_trade(
    own_exchange: ReplayExchange, opened: Open
) -> None:
    midnight = 1756771200000  # the replay exchange's clock
    spot = opened(own_exchange, "binance/spot", "extract.chunk_limit=50000")

    spot.trades("BTCUSDT", SPOT_START, midnight + 60_000)

    *_, key = spot.store.names("bronze/")
    assert parse_name(key).coverage.until_ms == 1756685380238
    assert spot.trades("BTCUSDT", SPOT_START, midnight + 60_000).files_created == 0


def test_an_empty_window_is_asked_once(own_exchange: ReplayExchange, opened: Open) -> None:
    day = 1704240000000  # 2024-01-03: between the recordings
    spot = opened(own_exchange)

    assert spot.trades("BTCUSDT", day, day + 60_000).files_created == 1
    assert spot.trades("BTCUSDT", day, day + 60_000).requests == 0

    (key,) = spot.store.names("bronze/")
    held = parse_name(key).coverage
    assert held.first_id == held.last_id + 1
    assert (held.from_ms, held.until_ms) == (day, day + 60_000)


def test_futures_older_than_two_days_are_pointed_to_the_archive(
    exchange: ReplayExchange, opened: Open
) -> None:
    with pytest.raises(PermanentExtractError, match="archive"):
        opened(exchange, "binance/usdm").trades("BTCUSDT", SPOT_START - 10**11, FUTURES_END)


def test_trades_of_futures_want_a_key_and_come_with_one(
    exchange: ReplayExchange, opened: Open
) -> None:
    window = (FUTURES_START + 60_000, FUTURES_START + 180_000)
    with pytest.raises(UsageError, match=r"exchanges\.binance\.usdm\.api_key"):
        opened(exchange, "binance/usdm").trades("BTCUSDT", *window, "trades")

    usdm = opened(exchange, "binance/usdm", "exchanges.binance.usdm.api_key=k3y")
    landed = usdm.trades("BTCUSDT", *window, "trades")

    rows = [
        row
        for pages in bodies(usdm.store).values()
        for page in pages
        for row in json.loads(page, parse_float=str)
    ]
    inside = {row["id"] for row in rows if window[0] <= row["time"] < window[1]}
    assert landed.rows == len(inside) > 100
    assert min(row["time"] for row in rows) >= window[0]
    for key in bodies(usdm.store):
        assert b"k3y" not in gzip.decompress(usdm.store.read(key) or b"")


def test_an_unknown_symbol_is_refused_with_the_exchanges_words(
    exchange: ReplayExchange, opened: Open
) -> None:
    with pytest.raises(PermanentExtractError, match="-1121: Invalid symbol"):
        opened(exchange).trades("NOSUCH", SPOT_START, SPOT_END)
    with pytest.raises(PermanentExtractError, match="neither the live nor the history host"):
        opened(exchange, "deribit/future").trades("NO-SUCH", FUTURES_START, FUTURES_END, "trades")


def test_deribit_falls_back_to_the_history_host_for_what_the_live_one_lacks(
    own_exchange: ReplayExchange, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.venues.deribit.PAGE", 100)
    own_exchange.order(Fault("empty_page", "deribit", "*by_instrument*", times=100))
    future = opened(own_exchange, "deribit/future")
    day_before = FUTURES_START - 2 * 86_400_000

    landed = future.trades("BTC-PERPETUAL", day_before, FUTURES_END, "trades")

    assert landed.rows > 900
    assert own_exchange.requests.count("deribit-history", "*") > 0
    for key in future.store.names("bronze/"):
        assert all("deribit-history" in line["request"] for line in lines(future.store, key))


def test_hourly_bars_come_whole_and_closed_only(exchange: ReplayExchange, opened: Open) -> None:
    day = 1704067200000
    spot = opened(exchange)

    landed = spot.bars("BTCUSDT", day, day + 86_400_000, "1h")

    (key,) = spot.store.names("bronze/klines/")
    assert landed.rows == 24
    assert parse_name(key).tag == "1h"
    assert parse_name(key).coverage == Coverage(day, day + 86_399_999, day, day + 86_400_000)
    bars = json.loads(bodies(spot.store)[key][0], parse_float=str)
    assert [bar[0] for bar in bars] == [day + hour * 3_600_000 for hour in range(24)]
    assert {len(bar) for bar in bars} == {12}


@pytest.mark.parametrize(
    ("venue", "name"), [("binance/usdm", "BTCUSDT"), ("deribit/future", "BTC-PERPETUAL")]
)
def test_bars_without_a_start_begin_with_the_first_one_and_then_with_the_first_held(
    own_exchange: ReplayExchange, opened: Open, venue: str, name: str
) -> None:
    asked = opened(own_exchange, venue, "extract.bar_interval=1h")
    listing: dict[str, Any] = {"exchange": asked.exchange, "kind": asked.kind, "instrument": name}

    since = wanted_since(asked.settings, asked.store, asked.client, **listing)

    assert since % 86_400_000 == 0
    assert asked.bars(name, since, since + 3 * 86_400_000, "1h").rows > 0
    own_exchange.requests.clear()
    first = min(parse_name(key).coverage.from_ms for key in asked.store.names("bronze/klines/"))
    assert wanted_since(asked.settings, asked.store, asked.client, **listing) == first
    assert own_exchange.requests.count() == 0


@pytest.mark.parametrize("kind", ["empty_page", "reversed_page", "cut_body", "error_object"])
@pytest.mark.parametrize("venue", ["binance/usdm", "deribit/future"])
def test_a_passing_fault_costs_no_bar(
    own_exchange: ReplayExchange, opened: Open, venue: str, kind: str
) -> None:
    own_exchange.order(Fault(kind, path="*/klines"), Fault(kind, path="*chart_data"))
    asked = opened(own_exchange, venue)
    name = "BTCUSDT" if venue == "binance/usdm" else "BTC-PERPETUAL"

    landed = asked.bars(name, FUTURES_START, FUTURES_END)

    assert landed.rows == 14
    assert len(own_exchange.faults_left()) == 1


def test_a_bar_that_has_not_closed_is_not_claimed(exchange: ReplayExchange, opened: Open) -> None:
    usdm = opened(exchange, "binance/usdm")
    clock_ms = 1723162500000  # 00:15:00

    usdm.bars("BTCUSDT", clock_ms - 120_000, clock_ms + 600_000, "1m")

    (key,) = usdm.store.names("bronze/")
    assert parse_name(key).coverage.until_ms == clock_ms


@pytest.mark.parametrize("venue", ["binance/spot", "binance/coinm", "deribit/future"])
def test_bars_over_many_pages_have_neither_gap_nor_repeat(
    exchange: ReplayExchange, opened: Open, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.venues.ccxt_bars.BinanceBars.bars_per_page", 5)
    monkeypatch.setattr("extract.venues.deribit_bars.DeribitBars.bars_per_page", 5)
    name = {"spot": "BTCUSDT", "coinm": "BTCUSD_PERP", "future": "BTC-PERPETUAL"}
    start, length, interval = FUTURES_START, 60_000, "1m"
    if venue == "binance/spot":
        start, length, interval = 1704067200000, 3_600_000, "1h"
    asked = opened(exchange, venue)

    asked.bars(name[venue.split("/")[1]], start, start + 14 * length, interval)

    ((_, pages),) = bodies(asked.store).items()
    documents = [json.loads(page, parse_float=str) for page in pages]
    times = [
        time
        for doc in documents
        for time in (doc["result"]["ticks"] if isinstance(doc, dict) else [bar[0] for bar in doc])
    ]
    assert len(pages) == 3
    assert times == [start + n * length for n in range(14)]


def test_an_interval_that_does_not_exist_is_refused(
    exchange: ReplayExchange, opened: Open, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="'1x' is no bar interval"):
        opened(exchange).bars("BTCUSDT", SPOT_START, SPOT_END, "1x")
    with pytest.raises(UsageError, match="Deribit has no bars of 4h"):
        opened(exchange, "deribit/future").bars("BTC-PERPETUAL", SPOT_START, SPOT_END, "4h")
    with pytest.raises(UsageError, match="not after its start"):
        opened(exchange).trades("BTCUSDT", SPOT_END, SPOT_START)
