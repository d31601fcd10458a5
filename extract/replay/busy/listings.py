"""Lists the busy symbols: in `exchangeInfo`, and among what the replay exchange holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from extract.replay.binance_spot_symbols import SpotSymbol
from extract.replay.busy.tape import FIRST_ID, LOWEST_TICK, Busy
from extract.replay.exchange_clock import SPOT, USDM
from extract.replay.futures_tape import Contract
from extract.replay.holdings import Holding
from lake.clock import to_iso


def spot_symbols(busy: Busy) -> Mapping[str, SpotSymbol]:
    """Return what `exchangeInfo` says of each symbol of spot."""
    return {
        name: SpotSymbol(name.removesuffix("USDT"), "0.01000000", "0.00100000")
        for name in busy.symbols
    }


def usdm_contracts(busy: Busy) -> Mapping[str, Contract]:
    """Return what `exchangeInfo` says of each symbol of USD-M."""
    return {
        name: Contract(
            symbol=name,
            base=name.removesuffix("USDT"),
            quote="USDT",
            tick=Decimal("0.01"),
            first_tick=LOWEST_TICK,
            quantity_step=Decimal("0.001"),
            largest_quantity=5_000,
            trades=0,
            first_id=FIRST_ID,
        )
        for name in busy.symbols
    }


def busy_holdings(busy: Busy, seed: int, clocks: Mapping[str, datetime]) -> Iterator[Holding]:
    """Yield what is held up to the segments' clocks."""
    for segment in (SPOT, USDM):
        for name in busy.symbols:
            for dataset in ("trades", "aggTrades", "klines"):
                is_bars = dataset == "klines"
                yield Holding(
                    segment=segment,
                    dataset=dataset,
                    instrument=name,
                    start=to_iso(busy.start),
                    end=to_iso(max(busy.start, clocks[segment])),
                    rows=None,
                    first_id=None if is_bars else FIRST_ID,
                    last_id=None,
                    interval="any" if is_bars else None,
                    generated=True,
                    source=f"seed={seed}",
                )
