"""An instrument's whole history by id: three modes, one result, and nothing asked for twice."""

from __future__ import annotations

import csv
import gzip
import itertools
import statistics
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract import search
from extract.answer import Answer, Request
from extract.client import Client
from extract.coverage import Missing, month_end, month_start
from extract.held import Held
from extract.history.message import Message, Mode, chains
from extract.history.refill import refill, within_reach
from extract.history.schedule import Schedule, Wanted, schedule
from extract.history.work import work
from extract.landing import Landed
from extract.pages import Check, Page, Row
from extract.replay.exchange import ReplayExchange
from lake.bronze import Dataset, parse_name
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.asking import bodies, covered_ids
from tests.extract.tape_server import CLOCK_MS, tape_server

RECORDINGS = Path(__file__).parents[2] / "recordings"
ETHUSDT_IDS = list(range(1_692_296_325, 1_692_306_326))
TAPE_START = 1_755_000_000_000


@dataclass(frozen=True)
class History:
    """A lake, an exchange, and how one instrument's history is loaded."""

    settings: Settings
    store: FolderStore
    client: Client
    instrument: str = "ETHUSDT"
    exchange: str = "binance"
    kind: str = "spot"
    dataset: Dataset = "agg_trades"

    def schedule(
        self, mode: Mode, start_ms: int | None = None, end_ms: int | None = None
    ) -> Schedule:
        held = Held(self.store, self.dataset, self.exchange, self.kind)
        wanted = Wanted(
            self.exchange,
            self.kind,
            self.dataset,
            self.instrument,
            mode,
            start_ms,
            end_ms,
        )
        return schedule(self.settings, self.client, held, wanted, run_id="run-1")

    def work(self, messages: Sequence[Message], most: int = 10**9) -> Landed:
        """Work messages off, and those that follow them, one after the other."""
        waiting, landed = list(messages), Landed()
        for _ in range(most):
            if not waiting:
                break
            one, following = work(waiting.pop(0), self.settings, self.store, self.client)
            landed += one
            waiting += [following] if following else []
        return landed

    def load(self, mode: Mode, start_ms: int | None = None, end_ms: int | None = None) -> Landed:
        return self.work(self.schedule(mode, start_ms, end_ms).messages)

    def ids(self) -> list[int]:
        name = "a" if self.dataset == "agg_trades" else "id"
        name = "trade_seq" if self.exchange == "deribit" else name
        return covered_ids(self.store, f"bronze/{self.dataset}/", name)


Open = Callable[..., History]


@pytest.fixture
def opened(
    tmp_path: Path,
    exchange: ReplayExchange,
    settings_of: Callable[..., Settings],
    client_of: Callable[[Settings], Client],
) -> Open:
    lakes = itertools.count()

    def open_(*sets: str, url: str = "", **fields: Any) -> History:
        small = ("extract.chunk_limit=1000", "extract.reserved_concurrency=3", *sets)
        address = [f"exchanges.binance.spot.rest_url={url}"] if url else []
        settings = settings_of(None if url else exchange, *small, *address)
        store = FolderStore(tmp_path / f"lake{next(lakes)}")
        return History(settings, store, client_of(settings), **fields)

    return open_


@pytest.mark.parametrize("mode", ["reverse", "start"])
def test_both_directions_land_every_trade_once_and_the_head_as_the_exchanges_hole(
    opened: Open, mode: Mode
) -> None:
    history = opened()

    landed = history.load(mode)

    assert history.ids() == ETHUSDT_IDS
    assert landed.rows == len(ETHUSDT_IDS)
    (run,) = Held(history.store, "agg_trades", "binance", "spot").runs("ETHUSDT", "history")
    assert (run.first_id, run.last_id) == (0, ETHUSDT_IDS[-1])


def test_both_directions_land_the_same_objects(opened: Open) -> None:
    down, up = opened(), opened()

    down.load("reverse")
    up.load("start")

    assert bodies(down.store) == bodies(up.store)


def test_from_a_date_to_a_date_stops_exactly(opened: Open) -> None:
    start, end = 1_756_684_900_000, 1_756_685_000_000
    with gzip.open(RECORDINGS / "ETHUSDT-aggTrades-2025-09-01-first-10k-us.csv.gz", "rt") as file:
        rows = [(int(row[0]), int(row[5]) // 1000) for row in csv.reader(file)]
    history = opened()

    history.load("date", start, end)

    assert history.ids() == [number for number, time in rows if start <= time < end]
    names = [parse_name(key) for key in bodies(history.store)]
    assert min(name.coverage.from_ms for name in names) == start
    assert max(name.coverage.until_ms for name in names) == end


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        (0, None, len(ETHUSDT_IDS)),  # long before the listing
        (1_756_685_194_505, None, 0),  # after the last trade
        (4_000_000_000_000, None, 0),  # to come
        (1_600_000_000_000, 1_600_000_001_000, 0),  # before the listing, to the end
        (1_756_685_194_504, 1_756_685_194_505, None),  # the last millisecond
        (1_756_685_000_000, 4_000_000_000_000, None),  # up to a time to come
    ],
)
def test_odd_dates_give_the_obvious_answer(
    opened: Open, start: int, end: int | None, count: int | None
) -> None:
    history = opened()

    history.load("date", start, end)

    found = history.ids()
    if count is None:
        assert found == ETHUSDT_IDS[-len(found) :]
        assert found
    else:
        assert len(found) == count


def test_a_window_that_ends_before_it_starts_is_refused(opened: Open) -> None:
    with pytest.raises(UsageError, match="not after its start"):
        opened().schedule("date", 10, 10)
    with pytest.raises(UsageError, match="wants a --start"):
        opened().schedule("date")


def test_a_second_run_finds_nothing_missing(opened: Open) -> None:
    history = opened()
    history.load("start")
    before = bodies(history.store)

    again = history.schedule("reverse")

    assert (again.missing, again.messages) == ([], [])
    assert history.load("date", 1_756_684_900_000).files_created == 0
    assert bodies(history.store) == before


@pytest.mark.parametrize("mode", ["reverse", "start"])
def test_a_run_that_was_killed_goes_on_from_what_landed(opened: Open, mode: Mode) -> None:
    whole, killed = opened(), opened()
    whole.load(mode)
    killed.work(killed.schedule(mode).messages, most=5)
    landed = len(killed.ids())
    assert 0 < landed < len(ETHUSDT_IDS)

    rest = killed.schedule(mode)

    assert rest.rows == len(ETHUSDT_IDS) - landed
    killed.work(rest.messages)
    assert killed.ids() == ETHUSDT_IDS
    assert bodies(killed.store) == bodies(whole.store)


def test_a_message_handled_twice_lands_the_same_object_once(opened: Open) -> None:
    history = opened()
    (message, *_) = history.schedule("start").messages
    history.work([message], most=1)
    before = bodies(history.store)

    again = history.work([Message.from_json(message.to_json())], most=1)

    assert (again.files_created, again.files_held) == (0, 1)
    assert bodies(history.store) == before


def test_chains_share_a_range_and_meet_every_chunk_once() -> None:
    first = Message(
        "binance", "spot", "trades", "X", "start", "r", Missing(1500, 9200), 0, 1000, 3, 0
    )
    modes: list[Mode] = ["start", "reverse"]
    for mode in modes:
        seen: list[tuple[int, int]] = []
        for message in chains(replace(first, mode=mode)):
            one: Message | None = message
            while one is not None:
                seen.append((one.first_id, one.last_id))
                one = one.following()

        assert len(chains(replace(first, mode=mode))) == 3
        assert sorted(seen) == [
            (1500, 1999), *[(n, n + 999) for n in range(2000, 9000, 1000)], (9000, 9200),
        ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version":2}', '{"version":1,"mode":"start"}', '"x"'],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no message of a chunk"):
        Message.from_json(text)


def test_a_message_of_another_version_is_refused() -> None:
    first = Message("binance", "spot", "trades", "X", "start", "r", Missing(0, 9), 0, 1000, 3, 0)

    with pytest.raises(UsageError, match="version 1"):
        Message.from_json(first.to_json().replace('"version":2', '"version":1'))


def test_holes_are_asked_for_exactly_and_land_beside_what_is_held(opened: Open) -> None:
    lake = opened()
    lake.load("start")
    first = ETHUSDT_IDS[0]
    holes = [Missing(first + 10, first + 12), Missing(first + 999, first + 2001)]
    wanted = Wanted(lake.exchange, lake.kind, lake.dataset, lake.instrument, "start")

    asked = refill(lake.settings, lake.client, wanted, holes, run_id="run-2")
    lake.work(asked.messages)

    assert list(asked.missing) == holes
    names = [parse_name(key) for key in lake.store.names("bronze/")]
    again = [name.coverage for name in names if name.tag == "run-2"]
    ids = [n for held in again for n in range(held.first_id, held.last_id + 1)]
    wanted_ids = [n for hole in holes for n in range(hole.first_id, hole.last_id + 1)]
    assert sorted(ids) == wanted_ids


@dataclass
class Forgetful:
    """An exchange that gives trades from `oldest` on only."""

    oldest: int
    origin: int = 0
    keeps_all: bool = False

    def clock_ms(self) -> int:
        return TAPE_START

    def first_at(self, time_ms: int) -> Row | None:
        return Row(self.oldest, time_ms)

    def newest(self, check: Check) -> Row | None:
        rows = [Row(1000, TAPE_START)]
        check(rows)
        return rows[0]

    def page(self, first_id: int, last_id: int, check: Check) -> Page:
        moment = datetime(2025, 1, 1, tzinfo=UTC)
        answer = Answer(Request("", "/"), 200, {}, b"[]", moment)
        first = max(first_id, self.oldest)
        rows = [Row(n, TAPE_START) for n in range(first, max(first, last_id) + 1)]
        check(rows)
        return Page(answer, rows, full=True)


@pytest.mark.parametrize(
    ("oldest", "reached"),
    [
        (0, [Missing(10, 20)]),
        (9, [Missing(10, 20)]),
        (10, [Missing(10, 20)]),
        (15, [Missing(15, 20)]),
        (21, []),
    ],
)
def test_silence_about_trades_out_of_reach_is_not_asked_for(
    oldest: int, reached: list[Missing]
) -> None:
    assert within_reach(Forgetful(oldest), Missing(10, 20)) == reached


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ('"chunk":0', '"chunk":"0"'),
        ('"chunk":0', '"chunk":7'),
        ('"chunk_limit":1000', '"chunk_limit":0'),
        ('"stride":3', '"stride":0'),
        ('"from_ms":null', '"from_ms":1000000000000000000'),
        ('"venue_clock_ms":0', '"venue_clock_ms":-1'),
        ('"mode":"start"', '"mode":"sideways"'),
        ('"instrument":"X"', '"instrument":' + "[" * 100_000),
    ],
)
def test_a_message_whose_fields_make_no_sense_is_refused(field: str, value: str) -> None:
    first = Message("binance", "spot", "trades", "X", "start", "r", Missing(0, 9), 0, 1000, 3, 0)

    with pytest.raises(UsageError, match="message"):
        Message.from_json(first.to_json().replace(field, value))


@pytest.mark.parametrize("mode", ["reverse", "start"])
def test_a_hole_of_the_exchange_is_proved_by_few_questions(opened: Open, mode: Mode) -> None:
    ids = [*range(2500), *range(40_002_500, 40_004_000)]
    with tape_server(ids, lambda one: TAPE_START + one // 10) as server:
        history = opened(url=server.url)

        history.load(mode)

        assert history.ids() == ids
        assert len(server.paths) < 100
    (run,) = Held(history.store, "agg_trades", "binance", "spot").runs("ETHUSDT", "history")
    assert (run.first_id, run.last_id) == (0, ids[-1])


def test_more_trades_in_one_millisecond_than_a_page_holds_are_not_lost(opened: Open) -> None:
    with tape_server(range(7000), lambda one: TAPE_START + (one >= 1500) + (one >= 5500)) as server:
        history = opened(url=server.url)

        history.load("date", TAPE_START + 1, TAPE_START + 2)

        assert history.ids() == list(range(1500, 5500))


def test_no_file_spans_two_months_and_each_says_what_it_proves(opened: Open) -> None:
    turn = month_end(TAPE_START)
    with tape_server(range(1800), lambda one: turn + (one - 900) * 1000) as server:
        history = opened(url=server.url)

        history.load("start")

        assert history.ids() == list(range(1800))
    covers = sorted(parse_name(key).coverage for key in bodies(history.store))
    assert [(c.first_id, c.last_id) for c in covers] == [(0, 899), (900, 999), (1000, 1799)]
    assert covers[0].from_ms == month_start(TAPE_START)
    assert [covers[0].until_ms, covers[1].from_ms] == [turn, turn]


def test_deribit_is_walked_by_trade_seq(opened: Open) -> None:
    down = opened(instrument="BTC-PERPETUAL", exchange="deribit", kind="future", dataset="trades")
    up = replace(down, store=FolderStore(Path(down.store.root) / "up"))

    down.load("reverse")
    up.load("start")

    assert down.ids() == up.ids()
    assert down.ids() == list(range(down.ids()[0], down.ids()[-1] + 1))
    assert len(down.ids()) > 500


def test_single_trades_of_spot_are_walked_by_their_own_ids(opened: Open) -> None:
    history = opened(instrument="BTCUSDT", dataset="trades")

    history.load("reverse")

    assert history.ids()[0] == 4_744_868_157
    assert history.ids() == list(range(history.ids()[0], history.ids()[-1] + 1))


def probes(times: Sequence[int], time_ms: int, width: int = 1000) -> search.Found:
    """Search a tape whose ids are its places, a page of `width` rows a probe."""

    def probe(first_id: int) -> list[Row]:
        return [Row(n, times[n]) for n in range(first_id, min(first_id + width, len(times)))]

    return search.first_at(probe, Row(len(times) - 1, times[-1]), time_ms)


def test_on_a_real_day_a_search_looks_at_few_pages(record_property: Callable[..., None]) -> None:
    times: list[int] = []
    with (
        zipfile.ZipFile(RECORDINGS / "BTCUSDT-aggTrades-2024-01-01.zip") as archive,
        archive.open(archive.namelist()[0]) as lines,
    ):
        times = [int(line.split(b",")[5]) for line in lines]
    asked = [times[0] + n * 600_000 + 1 for n in range(143)]

    found = [probes(times, time_ms) for time_ms in asked]

    for time_ms, one in zip(asked, found, strict=True):
        assert one.row is not None
        assert times[one.row.id] >= time_ms > times[one.row.id - 1]
    median = statistics.median(one.probes for one in found)
    record_property("median_probes", median)
    assert median <= 6
    assert max(one.probes for one in found) <= 2 * 20


def test_on_a_bursty_tape_a_search_takes_twice_the_halvings_at_most() -> None:
    times = (
        [0] * 10 + [n for n in range(1, 100) for _ in range(3)] + [10**12 + n for n in range(2**16)]
    )

    for time_ms in (1, 50, 99, 100, 10**12, 10**12 + 1, 10**12 + 2**15, 10**12 + 2**16 - 1):
        one = probes(times, time_ms, width=1)
        assert one.row is not None
        assert times[one.row.id] >= time_ms > times[one.row.id - 1]
        assert one.probes <= 2 * 17 + 2
    assert probes(times, 10**13).row is None


def test_rows_with_times_that_nobody_believes_are_landed_for_silver_to_judge(opened: Open) -> None:
    with tape_server(range(1000), lambda _: CLOCK_MS + 10 * 86_400_000) as server:
        history = opened(url=server.url)
        range_, chunk = Missing(0, 999), (0, 1000, 1)
        message = Message(
            "binance", "spot", "agg_trades", "ETHUSDT", "start", "r", range_, *chunk, CLOCK_MS
        )

        history.work([message])

    assert history.ids() == list(range(1000))
