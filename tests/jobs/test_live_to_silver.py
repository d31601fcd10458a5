"""What a collector lands comes to silver whole: each trade once, and the ledger without a hole."""

from __future__ import annotations

import pytest

from extract.replay.faults import Fault
from extract.window import extract_instruments
from jobs import instruments, silver
from jobs.context import Context
from lake.clock import SystemClock
from lake.settings import load_settings
from lake.tables import (
    OPS_CONTINUITY,
    OPS_QUARANTINE,
    SILVER_TRADES,
)
from tests.jobs.conftest import OpenLake
from tests.jobs.landed import held
from tests.live.collecting import Collector, all_ids
from tests.live.conftest import HURRIED
from tests.live.running_exchange import live

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@pytest.fixture(scope="module")
def collected(open_lake: OpenLake) -> Context:
    """A lake that two collectors fed through drops, losses and a hole: ours, then CCXT's."""
    context = open_lake("bronze.quarantine_rows=1000")
    with live("2025-03-25T23:07:40Z", speed=10) as exchange:
        exchange.order(Fault("dropped_message", after=40, times=5, path="btcusdt@trade"))
        exchange.order(Fault("disconnect", after=200, path="btcusdt@trade"))
        sets = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
        settings = load_settings("replay", [*sets, *HURRIED], environ={})
        extract_instruments(
            settings,
            context.store,
            exchange="binance",
            kind="spot",
            run_id="r",
            clock=SystemClock(),
        )
        for run, vendor in (("run-1", "native"), ("run-2", "ccxt")):
            streams = ("trade", "kline_1m")
            collector = Collector(
                settings, context.store, streams=streams, run_id=run, vendor=vendor
            )
            collector.collect(
                lambda now: now.trades >= 400 and now.holes_opened == now.holes_closed
            )
    instruments.consume(context)
    for dataset in ("trades", "klines"):
        silver.consume(context, dataset)
    return context


def test_silver_holds_every_trade_once(collected: Context) -> None:
    ids = [row["trade_seq"] for row in held(collected, SILVER_TRADES)]

    assert sorted(ids) == sorted(all_ids(collected.store))
    assert ids
    assert sorted(ids) == list(range(min(ids), max(ids) + 1))
    assert {row["source"] for row in held(collected, SILVER_TRADES)} == {"live", "history"}
    assert held(collected, OPS_QUARANTINE) == []


def test_the_ledger_has_one_run_that_claims_no_time_beyond_its_trades(collected: Context) -> None:
    rows = held(collected, SILVER_TRADES)
    (run,) = held(collected, OPS_CONTINUITY)

    ids = [row["trade_seq"] for row in rows]
    assert (run["entry"], run["first_id"], run["last_id"]) == ("held", min(ids), max(ids))
    times = {row["trade_seq"]: row["trade_timestamp"] for row in rows}
    assert run["proved_from"] > times[min(ids)]
    assert run["proved_until"] <= times[max(ids)]
