"""Funding rates and mark bars over real HTTP: by REST and by the archive, once and for all."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from extract.budgets import budgets, funding_address
from extract.perpetuals import is_published
from extract.replay.exchange import ReplayExchange
from extract.venues import binance, deribit
from lake.bronze import Coverage, Dataset, parse_name
from lake.errors import NotPublishedError, UsageError
from lake.objects import ObjectStore
from tests.extract.asking import Extraction, bodies
from tests.extract.conftest import MakeSettings, Open

HOUR = 3_600_000
#: 2024-07-01, 2024-08-01, and the day of which the archive serves mark bars.
JULY, AUGUST, DAY = 1_719_792_000_000, 1_722_470_400_000, 1_723_075_200_000
#: The generated exchanges' own clock: 00:15 on the day after.
NOW = DAY + 24 * HOUR + 15 * 60_000


def rates_of(store: ObjectStore, mode: str) -> list[tuple[int, str]]:
    """Return the times and rates that files of a mode hold, as the exchange wrote them."""
    found = []
    for key, pages in bodies(store, "bronze/funding_rates/").items():
        if parse_name(key).mode != mode:
            continue
        for page in pages:
            if mode == "archive":
                cells = [line.split(",") for line in page.decode().splitlines()[1:]]
                found += [(int(time), rate) for time, _, rate in cells]
            else:
                rows = json.loads(page, parse_float=str)
                found += [(row["fundingTime"], row["fundingRate"]) for row in rows]
    return sorted(found)


@pytest.mark.parametrize(("kind", "symbol"), [("usdm", "BTCUSDT"), ("coinm", "BTCUSD_PERP")])
def test_rest_and_archive_say_the_same_of_a_month(
    opened: Open, exchange: ReplayExchange, kind: str, symbol: str
) -> None:
    futures = opened(exchange, kind=kind)

    by_rest = futures.bars(symbol, JULY, AUGUST, dataset="funding_rates")
    by_archive = futures.bars(symbol, JULY, AUGUST, dataset="funding_rates", source="archive")

    assert by_rest.rows == by_archive.rows == 93  # 31 days of three settlements
    assert rates_of(futures.store, "history") == rates_of(futures.store, "archive")


def test_a_second_run_asks_for_nothing_but_what_is_new(
    opened: Open, own_exchange: ReplayExchange
) -> None:
    usdm = opened(own_exchange, kind="usdm")
    usdm.bars("BTCUSDT", JULY, AUGUST, dataset="funding_rates")
    asked = len(own_exchange.requests.last())

    again = usdm.bars("BTCUSDT", JULY, AUGUST, dataset="funding_rates")
    more = usdm.bars("BTCUSDT", JULY, AUGUST + 24 * HOUR, dataset="funding_rates")

    assert (again.requests, again.files_created) == (0, 0)
    assert more.rows == 3
    later = own_exchange.requests.last()[asked:]
    assert [one.path for one in later] == ["/fapi/v1/time", "/fapi/v1/fundingRate"]
    words = parse_qs(later[-1].query)
    assert words["startTime"] == [str(AUGUST)]
    assert words["endTime"] == [str(AUGUST + 24 * HOUR - 1)]
    assert words["limit"] == ["1000"]


def test_a_settlement_counts_as_absent_only_minutes_after_its_moment(
    opened: Open, exchange: ReplayExchange
) -> None:
    usdm = opened(exchange, kind="usdm")

    landed = usdm.bars("ETHUSDT", DAY, NOW + HOUR, dataset="funding_rates")

    (name,) = map(parse_name, bodies(usdm.store, "bronze/funding_rates/"))
    until = NOW - 5 * 60_000
    assert name.coverage == Coverage(DAY, until - 1, DAY, until)
    assert (landed.rows, name.tag) == (4, "")


def test_a_month_of_the_archive_is_landed_whole_and_a_day_is_not_asked_for(
    opened: Open, own_exchange: ReplayExchange
) -> None:
    usdm = opened(own_exchange, kind="usdm")

    usdm.bars("BTCUSDT", JULY + HOUR, JULY + 2 * HOUR, dataset="funding_rates", source="archive")

    paths = [one.path for one in own_exchange.requests.last()]
    zipped = "/data/futures/um/monthly/fundingRate/BTCUSDT/BTCUSDT-fundingRate-2024-07.zip"
    assert paths == [f"{zipped}.CHECKSUM", zipped]
    with pytest.raises(NotPublishedError):
        usdm.bars("BTCUSDT", AUGUST, AUGUST + 1, dataset="funding_rates", source="archive")


def test_auto_takes_whole_months_from_the_archive_and_the_rest_by_rest(
    opened: Open, exchange: ReplayExchange
) -> None:
    usdm = opened(exchange, kind="usdm")

    landed = usdm.bars("BTCUSDT", JULY, DAY, dataset="funding_rates", source="auto")

    held = sorted(map(parse_name, bodies(usdm.store, "bronze/funding_rates/")), key=_start)
    assert [(name.mode, name.coverage.from_ms) for name in held] == [
        ("archive", JULY),
        ("history", AUGUST),
    ]
    assert landed.rows == 93 + 21
    again = usdm.bars("BTCUSDT", JULY, DAY, dataset="funding_rates", source="auto")
    assert (again.requests, again.files_created) == (0, 0)


def _start(name: object) -> int:
    return name.coverage.from_ms  # type: ignore[attr-defined, no-any-return]


def test_mark_bars_come_as_minutes_whatever_the_bars_of_trades_come_in(
    opened: Open, exchange: ReplayExchange
) -> None:
    usdm = opened(exchange, "extract.bar_interval=1h", kind="usdm")
    end = DAY + 24 * HOUR

    by_rest = usdm.bars("BTCUSDT", DAY, end, interval="", dataset="mark_klines")
    by_archive = usdm.bars(
        "BTCUSDT", DAY, end, interval="", dataset="mark_klines", source="archive"
    )

    assert by_rest.rows == by_archive.rows == 1440
    names = list(map(parse_name, bodies(usdm.store, "bronze/mark_klines/")))
    assert {name.tag.partition("-")[0] for name in names} == {"1m"}
    assert prices_of(usdm.store, "history") == prices_of(usdm.store, "archive")


def prices_of(store: ObjectStore, mode: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for key, pages in bodies(store, "bronze/mark_klines/").items():
        if parse_name(key).mode != mode:
            continue
        for page in pages:
            if mode == "archive":
                text = page.decode().splitlines()
                bars = [one.split(",") for one in text if one[0].isdigit()]
            else:
                bars = json.loads(page, parse_float=str)
            rows += [tuple(map(str, bar[:5])) for bar in bars]
    return sorted(rows)


def test_an_hour_of_deribit_stamped_at_the_start_is_not_lost(
    opened: Open, exchange: ReplayExchange
) -> None:
    lake = opened(exchange)
    deribit_ = Extraction(lake.settings, lake.store, lake.client, "deribit", "future")

    landed = deribit_.bars("BTC-PERPETUAL", JULY + HOUR, AUGUST, dataset="funding_rates")

    # of 743 hours the first and the last are there, over the edge of a page too
    times = [
        row["timestamp"]
        for pages in bodies(lake.store, "bronze/funding_rates/deribit/").values()
        for page in pages
        for row in json.loads(page, parse_float=str)["result"]
    ]
    assert sorted(times) == list(range(JULY + HOUR, AUGUST, HOUR))
    assert landed.rows == 743


@pytest.mark.parametrize(
    ("exchange_name", "kind", "dataset"),
    [
        ("binance", "spot", "funding_rates"),
        ("deribit", "option", "funding_rates"),
        ("deribit", "future", "mark_klines"),
    ],
)
def test_what_is_not_published_is_said(
    opened: Open, exchange: ReplayExchange, exchange_name: str, kind: str, dataset: Dataset
) -> None:
    lake = opened(exchange)
    other = Extraction(lake.settings, lake.store, lake.client, exchange_name, kind)

    assert not is_published(exchange_name, kind, dataset)
    with pytest.raises(UsageError, match=f"{exchange_name} {kind} has no {dataset}"):
        other.bars("BTCUSDT", DAY, DAY + HOUR, dataset=dataset)


def test_funding_rates_have_a_budget_of_their_own(
    settings_of: MakeSettings, exchange: ReplayExchange
) -> None:
    settings = settings_of(exchange)
    address = funding_address(settings, "usdm")
    now = datetime(2024, 8, 9, tzinfo=UTC)

    budget = budgets(settings)[address]()

    assert address == f"{exchange.urls.usdm}/fapi/v1/fundingRate"
    # 500 requests in 5 minutes, of which we take 95 %
    waits = [budget.reserve(1, now) for _ in range(2)]
    assert waits[0] == 0
    assert 0.6 < waits[1] < 0.64


def test_perpetuals_are_known_by_what_the_exchange_lists() -> None:
    entries = [
        {"symbol": "BTCUSDT", "contractType": "PERPETUAL", "deliveryDate": 4133404800000},
        {"symbol": "TSLAUSDT", "contractType": "TRADIFI_PERPETUAL", "deliveryDate": 4133404800000},
        {"symbol": "BTCUSDT_250328", "contractType": "CURRENT_QUARTER", "deliveryDate": 1743148800},
    ]
    coins = {"baseAsset": "BTC", "quoteAsset": "USDT"}
    futures = binance.listings(
        {"symbols": [{**entry, **coins, "marginAsset": "USDT"} for entry in entries]}
    )
    spot = binance.listings({"symbols": [{"symbol": "BTCUSDT", **coins}]})
    of_deribit = deribit.listings(
        {
            "result": [
                {
                    "instrument_name": name,
                    "kind": kind,
                    "base_currency": "BTC",
                    "quote_currency": "USD",
                    "expiration_timestamp": expiry,
                }
                for name, kind, expiry in (
                    ("BTC-PERPETUAL", "future", 32_503_708_800_000),
                    ("BTC-27SEP24", "future", 1_727_424_000_000),
                    ("BTC_USDC", "spot", 32_503_708_800_000),
                )
            ]
        }
    )

    assert [one.instrument for one in futures if one.is_perpetual] == ["BTCUSDT", "TSLAUSDT"]
    assert [one.is_perpetual for one in spot] == [False]
    assert [one.instrument for one in of_deribit if one.is_perpetual] == ["BTC-PERPETUAL"]
