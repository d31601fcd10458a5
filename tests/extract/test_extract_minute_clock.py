"""The exchange's clock kept from its answers, and the timetable on it: arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extract.answer import Answer, Request
from extract.minute.desk import Desk
from extract.minute.server_clock import ServerClock, sample
from extract.minute.timetable import Schedule, Timetable
from extract.minute.wanted import Instrument, by_host
from extract.replay.exchange import ReplayExchange
from lake.clock import SystemClock, from_millis, to_micros, to_millis
from lake.errors import SettingsError, UsageError
from lake.objects import FolderStore
from tests.extract.conftest import NOON, MakeSettings, SleepingClock

MINUTE = 60_000
TABLE = Timetable(MINUTE, 3_500)


def answer(sent: datetime, took_ms: int) -> Answer:
    received = sent + timedelta(milliseconds=took_ms)
    return Answer(Request("http://exchange", "/time"), 200, {}, b"", received, sent)


def deribit(taken: datetime, answered: datetime) -> dict[str, Any]:
    return {"usIn": to_micros(taken), "usOut": to_micros(answered)}


def test_deribits_two_times_leave_half_the_way_as_error() -> None:
    server = NOON + timedelta(seconds=30)

    found = sample(
        answer(NOON, 100),
        deribit(server + timedelta(milliseconds=10), server + timedelta(milliseconds=30)),
    )

    assert found is not None
    # sent at 0, taken at 30.010; answered at 30.030, received at 0.100
    assert found.offset_us == 29_970_000
    assert found.error_us == 40_000


def test_binances_one_time_leaves_the_whole_way() -> None:
    found = sample(answer(NOON, 100), {"serverTime": to_millis(NOON) - 5_000})

    assert found is not None
    assert found.offset_us == -5_049_500
    assert found.error_us == 50_500


@pytest.mark.parametrize(
    "document", [{}, [], {"usIn": "1", "usOut": 2}, {"serverTime": None}, None]
)
def test_an_answer_without_times_says_nothing(document: Any) -> None:
    assert sample(answer(NOON, 1), document) is None


def test_a_clock_that_was_set_back_meanwhile_says_nothing() -> None:
    assert sample(answer(NOON, -1), deribit(NOON, NOON)) is None


def test_the_answer_with_the_shortest_way_stands() -> None:
    ours = SleepingClock()
    clock = ServerClock(ours)
    for took_ms, off_ms in ((400, 130), (20, 8), (900, -300)):
        sent = ours.now() - timedelta(milliseconds=took_ms)
        at = sent + timedelta(seconds=7, milliseconds=took_ms // 2 + off_ms)
        clock.learn(answer(sent, took_ms), deribit(at, at))
        ours.sleep(1)

    assert clock.now() - ours.now() == timedelta(seconds=7, milliseconds=8)


def test_until_an_answer_has_told_it_is_our_own_clock() -> None:
    ours = SleepingClock()

    assert ServerClock(ours).now() == ours.now()


@pytest.mark.parametrize("seconds", [-3, 3])
def test_a_clock_that_is_set_is_followed_at_once(seconds: int) -> None:
    ours = SleepingClock()
    clock = ServerClock(ours)
    for step in range(5):
        at = ours.now() + timedelta(seconds=seconds if step == 4 else 0)
        clock.learn(answer(ours.now(), 20 + step * 10), deribit(at, at))
        ours.sleep(10)

    assert abs(clock.now() - ours.now() - timedelta(seconds=seconds)) < timedelta(milliseconds=50)


def test_what_was_told_long_ago_gives_way_to_what_was_told_lately() -> None:
    ours = SleepingClock()
    clock = ServerClock(ours)
    clock.learn(answer(ours.now(), 2), deribit(ours.now(), ours.now()))
    ours.sleep(3600)
    at = ours.now() + timedelta(milliseconds=200)
    clock.learn(answer(ours.now(), 100), deribit(at, at))

    assert clock.offset() == sample(answer(ours.now(), 100), deribit(at, at))


def test_the_replay_exchanges_clock_is_found_over_http(
    exchange: ReplayExchange, settings_of: MakeSettings, tmp_path: Path
) -> None:
    for one, year in ((Instrument("binance", "spot", "BTCUSDT"), 2025), (None, 2024)):
        (wanted,) = by_host((), [one]) if one else by_host(("btc_usd",), [])
        desk = Desk.of(
            settings_of(exchange), FolderStore(tmp_path), wanted, run_id="r", clock=SystemClock()
        )
        desk.ask_time()

        best = desk.clock.offset()
        assert best is not None
        assert best.error_us < 2_000_000
        assert desk.clock.now().year == year


def test_intervals_are_named_by_their_start() -> None:
    noon = to_millis(NOON)

    assert TABLE.ended(noon) == noon - MINUTE
    assert TABLE.ended(noon - 1) == noon - 2 * MINUTE
    assert TABLE.due(noon) == noon + MINUTE + 3_500
    assert TABLE.newest_due(noon + 3_499) == noon - 2 * MINUTE
    assert TABLE.newest_due(noon + 3_500) == noon - MINUTE
    assert [TABLE.nearest(noon + 3_500 + off) for off in (-30_001, -30_000, 0, 29_999)] == [
        noon - 2 * MINUTE,
        noon - MINUTE,
        noon - MINUTE,
        noon - MINUTE,
    ]


@dataclass
class Told:
    """What a schedule did, by its clock."""

    clock: SleepingClock
    takes_seconds: list[float] = field(default_factory=list)
    polls: list[tuple[int, int]] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)

    def poll(self, interval: int) -> None:
        now = to_millis(self.clock.now())
        self.polls.append((interval, now - TABLE.end(interval)))
        self.clock.sleep(self.takes_seconds.pop(0) if self.takes_seconds else 0.05)

    def schedule(self) -> Schedule:
        return Schedule(
            TABLE,
            self.clock,
            lambda: self.asked.append(to_millis(self.clock.now())),
            self.poll,
            self.missed.append,
        )


def at(text: str) -> SleepingClock:
    return SleepingClock(datetime.fromisoformat(f"2024-08-09T{text}+00:00"))


def test_each_interval_is_polled_once_after_its_delay_and_a_look_at_the_clock() -> None:
    told = Told(at("00:00:01.250"))
    start = to_millis(told.clock.now()) // MINUTE * MINUTE

    told.schedule().run(times=3)

    assert told.polls == [(start + step * MINUTE, 3_500) for step in (-1, 0, 1)]
    looked = [moment - start for moment in told.asked[1:]]
    assert looked == [1_500, 61_500, 121_500]


def test_a_poll_that_took_minutes_leaves_those_between_missed() -> None:
    told = Told(at("00:00:10"), takes_seconds=[0.1, 200, 0.1])
    start = to_millis(told.clock.now()) // MINUTE * MINUTE

    told.schedule().run(times=4)

    asked = [(interval - start) // MINUTE for interval, _ in told.polls]
    assert asked == [-1, 0, 3, 4]
    assert [(interval - start) // MINUTE for interval in told.missed] == [1, 2]


def test_a_schedule_of_some_seconds_polls_what_is_due_within() -> None:
    told = Told(at("00:00:10"))

    told.schedule().run(seconds=120)

    assert len(told.polls) == 1 + 2


def test_a_clock_that_is_set_while_a_schedule_waits_is_noticed() -> None:
    clock = at("00:00:10")
    told = Told(clock)
    told.schedule().run(times=1)
    start = to_millis(clock.now()) // MINUTE * MINUTE
    real_sleep = clock.sleep

    def set_forward(seconds: float) -> None:
        real_sleep(seconds + (20 if clock.now() < from_millis(start + 30_000) else 0))

    clock.sleep = set_forward  # type: ignore[method-assign]
    told.schedule().run(times=2)

    assert told.polls[-1] == (start, 3_500)


def test_hosts_are_told_apart_by_their_clocks() -> None:
    instruments = [
        Instrument.of(text)
        for text in (
            "binance/usdm/BTCUSDT",
            "deribit/future/BTC-PERPETUAL",
            "binance/spot/BTCUSDT",
            "deribit/spot/BTC_USDC",
            "binance/spot/BTCUSDT",
        )
    ]

    found = by_host(["eth_usd", "btc_usd", "eth_usd"], instruments)

    assert [(one.exchange, one.segment) for one in found] == [
        ("binance", "spot"),
        ("binance", "usdm"),
        ("deribit", ""),
    ]
    assert found[2].indexes == ("btc_usd", "eth_usd")
    assert [len(one.instruments) for one in found] == [1, 1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "BTCUSDT",
        "binance/spot",
        "binance/spot/",
        "binance/spot/BTC*",
        "kraken/spot/X",
        "deribit/usdm/X",
    ],
)
def test_what_names_no_instrument_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Instrument.of(text)


def test_nothing_wanted_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing is to be polled"):
        by_host([], [])


@pytest.mark.parametrize(
    "override",
    [
        "minute.interval_seconds=7",
        "minute.interval_seconds=0",
        "minute.delay_seconds=-1",
        "minute.indexes=BTC-USD",
        "minute.bars=BTCUSDT",
    ],
)
def test_settings_that_make_no_sense_are_refused(settings_of: MakeSettings, override: str) -> None:
    with pytest.raises(SettingsError, match=override.partition("=")[0]):
        settings_of(None, override)
