"""Generates futures trades from a seed, because no real ones may be shipped; always marked so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

from lake.clock import to_millis

SEED = 20240809
WINDOW_START = to_millis(datetime(2024, 8, 8, 23, 56, tzinfo=UTC))
WINDOW_END = to_millis(datetime(2024, 8, 9, 0, 10, tzinfo=UTC))
MINUTE = 60_000
# Futures fill an aggregate over 100 ms; no burst starts so close behind a minute's edge that an
# aggregate could reach over it, but where `edge_pair` asks for exactly that.
AGGREGATE_SPAN = 100
QUIET_MINUTE = WINDOW_START + 10 * MINUTE


@dataclass(frozen=True, slots=True)
class Contract:
    """A generated contract.

    Attributes:
        contract_size: quote value of one contract (COIN-M), None for USD-M.
        tick: price step; `first_tick` is the starting price in steps.
        quantity_step: quantity step; 1 for COIN-M, whose quantity is in contracts.
        hole_every: about one id in so many is never returned (insurance fund, ADL); 0 for none.
        edge_pair: a minute's edge (ms) that one aggregate spans, else None.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    first_tick: int
    quantity_step: Decimal
    largest_quantity: int
    trades: int
    first_id: int
    contract_size: int | None = None
    hole_every: int = 0
    edge_pair: int | None = None


@dataclass(frozen=True, slots=True)
class FuturesTrade:
    """One generated trade; quantity in base coin (USD-M) or contracts (COIN-M), time in ms."""

    trade_id: int
    price: Decimal
    quantity: Decimal
    time: int
    buyer_is_maker: bool


USDM_CONTRACTS: Mapping[str, Contract] = {
    "BTCUSDT": Contract(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        tick=Decimal("0.10"),
        first_tick=616_500,
        quantity_step=Decimal("0.001"),
        largest_quantity=900,
        trades=4_500,
        first_id=5_244_000_001,
        hole_every=150,
    ),
    "ETHUSDT": Contract(
        symbol="ETHUSDT",
        base="ETH",
        quote="USDT",
        tick=Decimal("0.01"),
        first_tick=268_300,
        quantity_step=Decimal("0.001"),
        largest_quantity=9_000,
        trades=3_500,
        first_id=4_411_000_001,
        hole_every=150,
        edge_pair=WINDOW_START + 9 * MINUTE,
    ),
}
COINM_CONTRACTS: Mapping[str, Contract] = {
    "BTCUSD_PERP": Contract(
        symbol="BTCUSD_PERP",
        base="BTC",
        quote="USD",
        tick=Decimal("0.1"),
        first_tick=616_300,
        quantity_step=Decimal(1),
        largest_quantity=400,
        trades=2_500,
        first_id=874_000_001,
        contract_size=100,
    ),
    "ETHUSD_PERP": Contract(
        symbol="ETHUSD_PERP",
        base="ETH",
        quote="USD",
        tick=Decimal("0.01"),
        first_tick=268_200,
        quantity_step=Decimal(1),
        largest_quantity=900,
        trades=1_500,
        first_id=623_000_001,
        contract_size=10,
    ),
}


@dataclass(frozen=True, slots=True)
class _Burst:
    """Trades of one moment: a taker who walks the book."""

    time: int
    buyer_is_maker: bool
    size: int


def generate(contract: Contract, seed: int) -> list[FuturesTrade]:
    """Return the tape of a contract, by id; the same seed gives the same trades."""
    random = Random(f"{seed}/{contract.symbol}/{contract.first_id}")
    trades: list[FuturesTrade] = []
    tick, trade_id = contract.first_tick, contract.first_id
    for burst in _bursts(contract, random):
        if contract.hole_every and random.randrange(contract.hole_every) < burst.size:
            trade_id += 1
        for step in range(burst.size):
            tick += _move(random, burst) if step or burst.size > 1 else 0
            trades.append(_trade(contract, trade_id, tick, burst, random))
            trade_id += 1
    return trades


def _bursts(contract: Contract, random: Random) -> Iterator[_Burst]:
    mean_gap = (WINDOW_END - WINDOW_START) * 4 // contract.trades
    time, edge = WINDOW_START, contract.edge_pair
    while True:
        time = _out_of_quiet(time + random.randrange(1, 2 * mean_gap))
        if edge is not None and time >= edge - AGGREGATE_SPAN:
            yield from (_Burst(edge + offset, False, 1) for offset in (-20, 20))
            time, edge = edge + 2 * AGGREGATE_SPAN, None
        if time >= WINDOW_END:
            return
        yield _Burst(time, bool(random.getrandbits(1)), random.randrange(1, 9))


def _out_of_quiet(time: int) -> int:
    if QUIET_MINUTE <= time < QUIET_MINUTE + MINUTE:
        time = QUIET_MINUTE + MINUTE
    return max(time, time - time % MINUTE + AGGREGATE_SPAN)


def _move(random: Random, burst: _Burst) -> int:
    return random.choice((0, 0, 1, 2)) * (-1 if burst.buyer_is_maker else 1)


def _trade(
    contract: Contract, trade_id: int, tick: int, burst: _Burst, random: Random
) -> FuturesTrade:
    return FuturesTrade(
        trade_id=trade_id,
        price=tick * contract.tick,
        quantity=random.randrange(1, contract.largest_quantity) * contract.quantity_step,
        time=burst.time,
        buyer_is_maker=burst.buyer_is_maker,
    )


@dataclass(frozen=True, slots=True)
class FuturesAggregate:
    """Trades in a row with one price and one taker side within 100 ms; time of the first."""

    agg_id: int
    price: Decimal
    quantity: Decimal
    first_id: int
    last_id: int
    time: int
    buyer_is_maker: bool


def aggregates(trades: list[FuturesTrade], first_agg_id: int) -> list[FuturesAggregate]:
    """Return the aggregate trades of a tape, numbered from `first_agg_id`."""
    groups: list[list[FuturesTrade]] = []
    for trade in trades:
        if groups and _belongs(groups[-1], trade):
            groups[-1].append(trade)
        else:
            groups.append([trade])
    return [_aggregate(first_agg_id + place, group) for place, group in enumerate(groups)]


def _belongs(group: list[FuturesTrade], trade: FuturesTrade) -> bool:
    first, last = group[0], group[-1]
    alike = (first.price, first.buyer_is_maker) == (trade.price, trade.buyer_is_maker)
    consecutive = trade.trade_id == last.trade_id + 1
    return alike and consecutive and trade.time - first.time < AGGREGATE_SPAN


def _aggregate(agg_id: int, group: list[FuturesTrade]) -> FuturesAggregate:
    first = group[0]
    return FuturesAggregate(
        agg_id=agg_id,
        price=first.price,
        quantity=sum((trade.quantity for trade in group), Decimal(0)),
        first_id=first.trade_id,
        last_id=group[-1].trade_id,
        time=first.time,
        buyer_is_maker=first.buyer_is_maker,
    )
