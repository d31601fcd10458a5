"""Nearly all that a limit allows is asked for, minute after minute, and nothing is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from extract.client import Client
from extract.coverage import DAY_MS
from extract.host import Hosts
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT
from extract.replay.limits import WeightRules
from lake.objects import FolderStore
from lake.settings import Settings
from tests.extract.asking import Extraction
from tests.extract.conftest import SleepingClock

JAN_1_2024 = 1_704_067_200_000
LIMIT, PAGE_WEIGHT = 400, 4


@pytest.mark.parametrize("minute_turns_at", [0, 25])
def test_nine_tenths_of_the_allowed_trades_come_each_minute_and_none_is_refused(
    store: FolderStore,
    settings_of: Callable[..., Settings],
    clock: SleepingClock,
    hosts: Hosts,
    minute_turns_at: int,
) -> None:
    def seconds() -> float:
        return clock.now().timestamp() - minute_turns_at

    began = seconds()
    rules = Rules(weight={SPOT: WeightRules(LIMIT)}, seconds=seconds)
    with ReplayExchange(rules) as exchange:
        settings = settings_of(
            exchange,
            f"exchanges.binance.spot.weight_limit_per_minute={LIMIT}",
            "extract.workers=1",
        )
        client = Client(settings, clock=clock, hosts=hosts)
        lake = Extraction(settings, store, client)
        landed = lake.trades("BTCUSDT", JAN_1_2024, JAN_1_2024 + DAY_MS // 2)
        statuses = {one.status for one in exchange.engine.log.last()}

    # the last minute is not used up
    whole_minutes = int(seconds() - began) // 60
    assert whole_minutes >= 3
    assert landed.rows >= whole_minutes * LIMIT // PAGE_WEIGHT * 1000 * 9 // 10
    assert statuses == {200}
