"""The pipeline that goes on: what lands comes to silver and gold at the next look, until told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event, Timer

import pytest

from jobs import gold, open_minutes, silver
from jobs.context import Context
from jobs.continuous import Keeper, keep_fresh, next_look
from lake.clock import to_millis
from lake.errors import StorageError
from lake.tables import (
    GOLD_OHLCV,
    GOLD_SOURCE_BARS,
    OPS_CONTINUITY,
    OPS_GATE_RESULTS,
    SILVER_KLINES,
    SILVER_TRADES,
)
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.jobs.live_frames import land, land_bar

pytestmark = [pytest.mark.spark, pytest.mark.slow]

NOON = datetime(2025, 3, 25, 12, tzinfo=UTC)


def ids(context: Context) -> list[int]:
    return sorted(row["trade_seq"] for row in held(context, SILVER_TRADES))


def minutes(context: Context) -> dict[str, tuple[int, bool]]:
    """Return the number of trades of each minute in gold, and whether it is complete."""
    return {
        f"{bar['bar_start']:%H:%M}": (bar["trade_count"], bar["is_complete"])
        for bar in held(context, GOLD_OHLCV)
        if bar["bar_interval"] == "1m"
    }


def test_each_look_takes_what_has_landed_since_the_last(open_lake: OpenLake) -> None:
    context = open_lake()
    keeper = Keeper(context)
    land(context, "BTCUSDT", 1, 90, NOON)
    assert keeper.refresh()
    keeper.refresh()
    before = context.tables.version(SILVER_TRADES)

    assert ids(context) == list(range(1, 91))
    assert minutes(context) == {"12:00": (60, True), "12:01": (30, False)}
    judged = {(row["table_name"], row["batch_id"]) for row in held(context, OPS_GATE_RESULTS)}
    assert judged == {("bronze.trades", 0), ("silver.trades", 0), ("gold.ohlcv", 0)}
    keeper.refresh()
    assert context.tables.version(SILVER_TRADES) == before

    land(context, "BTCUSDT", 91, 60, NOON + timedelta(seconds=90))
    keeper.minute = None
    keeper.refresh()

    assert ids(context) == list(range(1, 151))
    assert minutes(context) == {"12:00": (60, True), "12:01": (60, True), "12:02": (30, False)}
    runs = held(context, OPS_CONTINUITY)
    assert [(row["entry"], row["first_id"], row["last_id"]) for row in runs] == [("held", 1, 150)]


def test_candles_are_out_before_the_exchanges_own_bars_are_taken(
    open_lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, steps = open_lake(), list[str]()
    consume, follow = silver.consume, gold.follow

    def consumed(one: Context, dataset: str) -> None:
        steps.append(dataset)
        consume(one, dataset)

    def followed(one: Context) -> None:
        steps.append("candles")
        follow(one)

    monkeypatch.setattr(silver, "consume", consumed)
    monkeypatch.setattr(gold, "follow", followed)
    land(context, "BTCUSDT", 1, 60, NOON)
    land_bar(context, "BTCUSDT", NOON)

    Keeper(context).refresh()

    assert steps == ["trades", "candles", "klines"]
    assert minutes(context) == {"12:00": (60, True)}
    assert [row["open_time_sent"] for row in held(context, SILVER_KLINES)] == [to_millis(NOON)]


def test_it_goes_on_until_it_is_told_to_stop(open_lake: OpenLake) -> None:
    context, stopping = open_lake(), Event()
    land(context, "BTCUSDT", 1, 60, NOON)
    told = Timer(5, stopping.set)
    told.start()

    passes = keep_fresh(context, stopping, 0.1)

    told.join()
    assert passes >= 1
    assert ids(context) == list(range(1, 61))


def test_only_a_pass_that_brought_something_is_published(open_lake: OpenLake) -> None:
    context, stopping, published = open_lake(), Event(), list[list[int]]()
    land(context, "BTCUSDT", 1, 60, NOON)

    def publish(one: Context) -> None:
        published.append(ids(one))
        # two more looks, which find nothing new
        Timer(3, stopping.set).start()

    passes = keep_fresh(context, stopping, 0.1, publish)

    assert passes > 1
    assert published == [list(range(1, 61))]


def test_a_minute_that_goes_on_comes_to_gold_when_it_has_ended(open_lake: OpenLake) -> None:
    context = at(open_lake(), NOON + timedelta(seconds=95))
    land(context, "BTCUSDT", 1, 90, NOON)
    keeper = Keeper(context)
    keeper.refresh()
    built = [f"{bar['bar_start']:%H:%M}" for bar in held(context, GOLD_SOURCE_BARS)]
    assert (built, minutes(context)) == (["12:00"], {"12:00": (60, True)})

    assert keeper.due() == NOON + timedelta(seconds=125)

    # nothing more is traded, and another process goes on
    Keeper(at(context, NOON + timedelta(seconds=126))).refresh()

    assert minutes(context) == {"12:00": (60, True), "12:01": (30, False)}


def test_a_list_of_open_minutes_that_cannot_be_read_is_told(open_lake: OpenLake) -> None:
    context = at(open_lake(), NOON + timedelta(seconds=95))
    key = "checkpoints/gold.trades/open_minutes.json"
    context.store.create(key, b"{}")

    with pytest.raises(StorageError, match="has still to look at") as told:
        open_minutes.waiting(context, "trades")
    assert key in str(told.value)


def at(context: Context, now: datetime) -> Context:
    return replace(context, clock=Standing(now))


@dataclass(frozen=True)
class Standing:
    """A clock that stands still."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits {seconds} s here")


def test_a_look_that_would_outlast_the_minute_waits_for_its_end() -> None:
    look, takes = NOON + timedelta(seconds=50), timedelta(seconds=12)
    behind = NOON + timedelta(seconds=61.5)

    assert next_look(look, takes) == behind
    assert next_look(look, timedelta(seconds=9)) == look
    assert next_look(behind, takes) == behind
