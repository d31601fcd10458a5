"""Trades that one process gets of what a limit allows in whole minutes, and refusals.

Run by `python -m bench.rate_limit --minutes 2`; the limit is small enough that a day of trades
lasts for three minutes.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

from extract.client import Client
from extract.coverage import DAY_MS
from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT
from extract.replay.limits import WeightRules
from extract.window import extract_trades
from lake.clock import SystemClock
from lake.objects import FolderStore
from lake.settings import load_settings

DAY = 1_704_067_200_000
PAGE, PAGE_WEIGHT = 1000, 4
PAGES = "/api/v3/aggTrades"


def main() -> None:
    """Run for whole minutes of the exchange's clock and print what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=1200)
    asked = parser.parse_args()
    rules = Rules(weight={SPOT: WeightRules(asked.limit)}, seconds=time.time)
    with ReplayExchange(rules) as exchange, tempfile.TemporaryDirectory() as lake:
        time.sleep(60 - time.time() % 60)
        began = time.time()
        thread = threading.Thread(target=_extract, args=(exchange, Path(lake), asked.limit))
        thread.start()
        time.sleep(began + 60 * asked.minutes - 0.5 - time.time())
        last = exchange.engine.log.last()
        pages = sum(one.path.endswith(PAGES) and one.status == 200 for one in last)
        refused = sum(one.status in (418, 429) for one in last)
        thread.join()
    allowed = asked.limit // PAGE_WEIGHT * asked.minutes
    share = f"{pages * PAGE:,} trades of {allowed * PAGE:,} allowed"
    print(f"{share} in {asked.minutes} min, {refused} refused")


def _extract(exchange: ReplayExchange, lake: Path, limit: int) -> None:
    sets = [f"{name}={url}" for name, url in exchange.urls.settings().items()]
    sets.append(f"exchanges.binance.spot.weight_limit_per_minute={limit}")
    settings, clock = load_settings("replay", sets), SystemClock()
    extract_trades(
        settings,
        FolderStore(lake),
        exchange="binance",
        kind="spot",
        instrument="BTCUSDT",
        start_ms=DAY,
        end_ms=DAY + DAY_MS,
        run_id="bench",
        clock=clock,
        dataset="agg_trades",
        client=Client(settings, clock=clock),
    )


if __name__ == "__main__":
    main()
