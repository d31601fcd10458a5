"""Any exchange of CCXT's, by settings alone: what lands, how it goes on, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping

import pytest

from extract.client import Client
from extract.discovery import look
from extract.landing import Landed
from extract.listing import Listing
from extract.window import extract_bars, listed_since
from lake.errors import PermanentExtractError, SettingsError, UnreachableError, UsageError
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.conftest import MakeSettings, SleepingClock
from tests.extract.small_server import Route, Scripted, SmallServer
from tests.other_exchanges import (
    LONG,
    MIDNIGHT,
    MINUTE,
    Coinbase,
    Kraken,
    minutes,
    overrides,
)

NAMES = {"kraken": "XXBTZUSD", "coinbaseexchange": "BTC-USD"}
Ask = Callable[..., Landed]


@pytest.fixture
def ask(
    settings_of: MakeSettings, store: FolderStore, client_of: Callable[[Settings], Client]
) -> Ask:
    """What lands the bars of minutes [first, last) of an exchange that a small server plays."""

    def asked(
        server: SmallServer,
        first: int,
        last: int,
        *sets: str,
        ccxt: str = "kraken",
        interval: str = "1m",
    ) -> Landed:
        settings = settings_of(None, *overrides("other", ccxt, server.url), *sets)
        client = client_of(settings)
        return extract_bars(
            settings,
            store,
            exchange="other",
            kind="spot",
            instrument=NAMES[ccxt],
            start_ms=MIDNIGHT + first * MINUTE,
            end_ms=MIDNIGHT + last * MINUTE,
            run_id="run-1",
            clock=client.clock,
            interval=interval,
            client=client,
        )

    return asked


def held(store: FolderStore) -> Mapping[str, list[dict[str, object]]]:
    """Return the lines of each bronze file as they stand in it."""
    found = {}
    for key in store.names("bronze/"):
        content = store.read(key)
        assert content is not None
        found[key] = [json.loads(line) for line in gzip.decompress(content).splitlines()]
    return found


def bars_asked(server: SmallServer) -> list[str]:
    return [path for path in server.paths if "OHLC" in path or "candles" in path]


@pytest.mark.parametrize(
    ("ccxt", "route"),
    [("kraken", Kraken(minutes(0, 1, 2, 3, 4))), ("coinbaseexchange", Coinbase(minutes(0, 1, 2)))],
    ids=["object of arrays", "list of lists"],
)
def test_an_answer_lands_byte_for_byte_under_a_name_that_says_what_it_covers(
    ask: Ask, store: FolderStore, ccxt: str, route: Route
) -> None:
    with SmallServer(route=route) as server:
        landed = ask(server, 0, 3, ccxt=ccxt)
        path = bars_asked(server)[0]

    (key,), (lines,) = held(store).keys(), held(store).values()
    assert landed.rows == 3
    covered = f"i{MIDNIGHT}_{MIDNIGHT + 3 * MINUTE - 1}~t{MIDNIGHT}_{MIDNIGHT + 3 * MINUTE}"
    name = f"{NAMES[ccxt]}~history~{covered}~1m.ndjson.gz"
    assert key == f"bronze/klines/other/spot/2024-01/{name}"
    assert [line["body"] for line in lines] == [route(path).body.decode()]
    envelope = lines[0]
    assert (envelope["exchange"], envelope["instrument"]) == ("other", NAMES[ccxt])
    request = json.loads(str(envelope["request"]))
    assert request["ccxt"]["exchange"] == ccxt
    assert request["ccxt"]["market"]["symbol"] == "BTC/USD"
    assert (request["ccxt"]["timeframe"], request["ccxt"]["since"]) == ("1m", MIDNIGHT)


def test_a_second_run_asks_for_what_has_not_landed_alone(ask: Ask, store: FolderStore) -> None:
    with SmallServer(route=Kraken(minutes(*range(10)))) as server:
        ask(server, 0, 4)
        again = ask(server, 0, 4)
        asked = len(bars_asked(server))
        more = ask(server, 0, 6)

        assert (again.rows, again.files_created) == (0, 0)
        assert len(bars_asked(server)) == asked + 1
        # it asks from the minute before: Kraken's `since` is excluded
        assert f"since={(MIDNIGHT + 3 * MINUTE) // 1000}" in bars_asked(server)[-1]
    assert (more.rows, len(held(store))) == (2, 2)


def test_an_answer_that_ends_early_is_asked_on(ask: Ask, store: FolderStore) -> None:
    with SmallServer(route=Kraken(minutes(*range(10)), newest=4)) as server:
        landed = ask(server, 0, 10)

    assert landed.rows == 10
    (lines,) = held(store).values()
    first_of = [json.loads(str(line["request"]))["ccxt"]["since"] for line in lines]
    assert first_of == [MIDNIGHT, MIDNIGHT + 4 * MINUTE, MIDNIGHT + 8 * MINUTE]


def test_a_quiet_end_is_believed_when_it_comes_twice(ask: Ask) -> None:
    with SmallServer(route=Kraken(minutes(0, 1))) as server:
        landed = ask(server, 0, 10)

        assert len(bars_asked(server)) == 3
    assert landed.rows == 2


def test_bars_after_the_window_are_not_of_it(ask: Ask) -> None:
    with SmallServer(route=Kraken(minutes(500, 501))) as server:
        landed = ask(server, 0, 10)

    assert (landed.rows, landed.files_created) == (0, 1)


def test_a_bar_that_the_exchanges_clock_has_not_passed_is_not_asked_for(
    ask: Ask, store: FolderStore
) -> None:
    route = Kraken(minutes(*range(10)), now_ms=MIDNIGHT + 3 * MINUTE + 30_000)
    with SmallServer(route=route) as server:
        landed = ask(server, 0, 10)

    assert landed.rows == 3
    assert f"~t{MIDNIGHT}_{MIDNIGHT + 3 * MINUTE}~" in next(iter(held(store)))


class FirstThen:
    """Gives faults to the first requests for bars, then what the exchange would."""

    def __init__(self, route: Route, *faults: Scripted) -> None:
        self._route, self._faults = route, list(faults)

    def __call__(self, path: str) -> Scripted:
        if "OHLC" in path and self._faults:
            return self._faults.pop(0)
        return self._route(path)


@pytest.mark.parametrize(
    "fault",
    [
        Scripted(b'{"error":["EGeneral:Too many requests"]}'),
        Scripted(b"<html>try later</html>"),
        Scripted(b"", status=502),
        Scripted(b"{}", status=429, headers={"Retry-After": "7"}),
    ],
    ids=["its own limit", "no JSON", "server fault", "429"],
)
def test_a_passing_fault_is_tried_again_and_never_lands(
    ask: Ask, store: FolderStore, clock: SleepingClock, fault: Scripted
) -> None:
    with SmallServer(route=FirstThen(Kraken(minutes(0, 1)), fault)) as server:
        landed = ask(server, 0, 2)

    assert landed.rows == 2
    (lines,) = held(store).values()
    assert len(lines) == 1
    if fault.status == 429:
        assert sum(clock.sleeps) >= 7


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Scripted(b'{"error":["EQuery:Unknown asset pair"]}'), "Unknown asset pair"),
        (Scripted(b"blocked", status=451), "HTTP|Error|error|NotAvailable"),
    ],
)
def test_a_refusal_is_not_tried_again(ask: Ask, fault: Scripted, said: str) -> None:
    faults = [fault] * 9
    with SmallServer(route=FirstThen(Kraken(minutes(0)), *faults)) as server:
        with pytest.raises(PermanentExtractError, match=said):
            ask(server, 0, 1)

        assert len(bars_asked(server)) == 1


def test_a_fault_that_does_not_pass_ends_as_unreachable(ask: Ask) -> None:
    faults = [Scripted(b'{"error":["EService:Unavailable"]}')] * 99
    with SmallServer(route=FirstThen(Kraken(minutes(0)), *faults)) as server:
        with pytest.raises(UnreachableError):
            ask(server, 0, 1)

        assert len(bars_asked(server)) == 6


def test_ccxts_own_rate_limit_is_our_budget(ask: Ask, clock: SleepingClock) -> None:
    route = Kraken(minutes(*range(40)), newest=4)
    with SmallServer(route=route) as server:
        ask(server, 0, 40, "exchanges.other.requests_per_second=2")
        assert len(bars_asked(server)) == 10
        assert len(server.paths) == 12

    # two a second, of which we take 95 %. CCXT's costs: the markets and the clock 1 each, a page
    # of Kraken's bars 1.2; after the tenth page nobody waits
    assert sum(clock.sleeps) == pytest.approx((2 * 1 + 9 * 1.2) / 1.9, abs=0.01)


def test_markets_are_found_by_the_exchanges_name_and_by_the_unified_one(
    settings_of: MakeSettings, client_of: Callable[[Settings], Client]
) -> None:
    with SmallServer(route=Kraken({})) as server:
        settings = settings_of(None, *overrides("other", "kraken", server.url))
        snapshot = look(client_of(settings), settings, "other", "spot")

    assert snapshot.listings == [Listing("XXBTZUSD", "BTC/USD")]
    assert snapshot.clock_ms == MIDNIGHT + 86_400_000
    assert list(snapshot.answers) == []


def test_without_a_start_bars_begin_with_the_first_day_that_has_one(
    settings_of: MakeSettings, client_of: Callable[[Settings], Client]
) -> None:
    with SmallServer(route=Kraken({MIDNIGHT: LONG, MIDNIGHT + 86_400_000: LONG})) as server:
        settings = settings_of(None, *overrides("other", "kraken", server.url))
        of = {"exchange": "other", "kind": "spot", "instrument": "XXBTZUSD"}

        assert listed_since(settings, client_of(settings), **of) == MIDNIGHT
        # eight years from 2016 on by 720 days
        assert len(bars_asked(server)) == 5


@pytest.mark.parametrize(
    ("sets", "options", "error", "said"),
    [
        (["exchanges.other.ccxt=krakn"], {}, SettingsError, "Did you mean 'kraken'"),
        ([], {"interval": "2m"}, UsageError, "no bars of 2m"),
        (["exchanges.other.ccxt=hyperliquid"], {}, PermanentExtractError, "CCXT asks by POST"),
    ],
)
def test_what_ccxt_does_not_know_is_refused(
    ask: Ask, sets: list[str], options: dict[str, str], error: type[Exception], said: str
) -> None:
    with (
        SmallServer(route=Kraken(minutes(0))) as server,
        pytest.raises(error, match=said),
    ):
        ask(server, 0, 1, *sets, **options)


def test_no_digit_that_a_float_would_lose_is_lost() -> None:
    assert all(repr(float(text)) != text for text in LONG)
