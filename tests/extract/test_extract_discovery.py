"""Instruments: discovered, landed once, matched by name, pattern or unified symbol."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from extract.client import Client
from extract.discovery import content_tag, discovered
from extract.host import Hosts
from extract.listing import Listing, matching
from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from lake.bronze import parse_name
from lake.errors import ExtractError, UsageError
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.asking import Extraction, bodies, lines
from tests.extract.conftest import SleepingClock

LISTINGS = [
    Listing("BTCUSDT", "BTC/USDT:USDT"),
    Listing("BTCUSDT_240927", "BTC/USDT:USDT-240927"),
    Listing("ETHUSDT", "ETH/USDT:USDT"),
]


@pytest.fixture
def asked(
    own_exchange: ReplayExchange,
    store: FolderStore,
    settings_of: Callable[..., Settings],
    clock: SleepingClock,
    hosts: Hosts,
) -> Callable[[str, str], Extraction]:
    settings = settings_of(own_exchange)

    def make(exchange: str, kind: str) -> Extraction:
        client = Client(settings, clock=clock, hosts=hosts)
        return Extraction(settings, store, client, exchange, kind)

    return make


@pytest.mark.parametrize(
    ("exchange", "kind", "unified"),
    [
        ("binance", "spot", "BTC/USDT"),
        ("binance", "usdm", "BTC/USDT:USDT"),
        ("binance", "coinm", "BTC/USD:BTC"),
        ("deribit", "future", "BTC/USD:BTC"),
        ("deribit", "option", "BTC/USD:BTC-240809-60000-C"),
        ("deribit", "spot", "BTC/USDC"),
    ],
)
def test_a_snapshot_lands_raw_once_and_names_come_back(
    asked: Callable[[str, str], Extraction],
    store: FolderStore,
    exchange: str,
    kind: str,
    unified: str,
) -> None:
    first = asked(exchange, kind).instruments()
    second = asked(exchange, kind).instruments()

    assert (first.files_created, second.files_created, second.files_held) == (1, 0, 1)
    (key,) = bodies(store)
    assert parse_name(key).instrument == "_all"
    assert lines(store, key)[0]["instrument"] == ""
    found = discovered(store, exchange, kind)
    assert first.rows == len(found)
    assert unified in {listing.unified for listing in found}


def test_a_later_snapshot_lands_only_where_it_says_something_new(
    asked: Callable[[str, str], Extraction], own_exchange: ReplayExchange, store: FolderStore
) -> None:
    own_exchange.order(Fault("clock_skew", path="*/exchangeInfo", seconds=-7200))
    landed = [asked("binance", "spot").instruments(), asked("binance", "spot").instruments()]
    own_exchange.order(Fault("bad_name", path="*/exchangeInfo", name="NEWUSDT"))
    landed.append(asked("binance", "spot").instruments())

    assert [one.files_created for one in landed] == [1, 0, 1]
    assert "NEWUSDT" in {listing.instrument for listing in discovered(store, "binance", "spot")}


def test_combos_are_discovered_though_nothing_unifies_them(
    asked: Callable[[str, str], Extraction], store: FolderStore
) -> None:
    asked("deribit", "future_combo").instruments()

    assert Listing("BTC-FS-27SEP24_PERP", "") in discovered(store, "deribit", "future_combo")


def test_expired_instruments_come_as_a_second_answer_of_the_snapshot(
    asked: Callable[[str, str], Extraction], store: FolderStore
) -> None:
    asked("deribit", "future").instruments(expired=True)

    (key,) = bodies(store)
    states = [json.loads(line["request"])["params"]["expired"] for line in lines(store, key)]
    assert states == ["false", "true"]


def test_a_hostile_name_lands_and_is_discovered_byte_for_byte(
    asked: Callable[[str, str], Extraction], store: FolderStore, own_exchange: ReplayExchange
) -> None:
    own_exchange.order(Fault("bad_name", path="*/exchangeInfo"))

    asked("binance", "spot").instruments()

    names = [listing.instrument for listing in discovered(store, "binance", "spot")]
    assert "../../EVIL/USDT" in names


def test_names_are_not_known_before_a_snapshot_landed(store: FolderStore) -> None:
    with pytest.raises(ExtractError, match=r"no instruments of binance spot have landed"):
        discovered(store, "binance", "spot")


def test_only_the_time_changing_is_no_news() -> None:
    one = {"serverTime": 1, "symbols": [{"symbol": "A", "tick": "0.1"}]}
    later = {"symbols": [{"tick": "0.1", "symbol": "A"}], "serverTime": 2}
    other = {"serverTime": 1, "symbols": [{"symbol": "A", "tick": "0.01"}]}

    assert content_tag([one]) == content_tag([later])
    assert content_tag([one]) != content_tag([other])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["ETHUSDT"], ["ETHUSDT"]),
        (["BTC*"], ["BTCUSDT", "BTCUSDT_240927"]),
        (["*"], ["BTCUSDT", "BTCUSDT_240927", "ETHUSDT"]),
        (["BTC/USDT:USDT"], ["BTCUSDT"]),
        (["BTC/USDT:USDT-240927", "BTCUSDT_*"], ["BTCUSDT_240927"]),
        (["XRP*"], []),
        ([], []),
    ],
)
def test_names_patterns_and_unified_symbols_match(wanted: list[str], found: list[str]) -> None:
    assert matching(wanted, LISTINGS) == found


def test_an_unknown_name_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(UsageError, match=r"no instrument 'btcusd'.*Nearest are BTCUSDT"):
        matching(["btcusd"], LISTINGS)


def test_an_unknown_exchange_or_kind_is_refused(
    asked: Callable[[str, str], Extraction],
) -> None:
    with pytest.raises(UsageError, match="unknown exchange 'kraken'"):
        asked("kraken", "spot").instruments()
    with pytest.raises(UsageError, match="Binance has no kind 'option'"):
        asked("binance", "option").instruments()
    with pytest.raises(UsageError, match="Deribit has no kind 'usdm'"):
        asked("deribit", "usdm").instruments()
