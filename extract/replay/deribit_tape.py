"""Generates Deribit's trades from a seed: books, blocks, an RFQ, a liquidation, combos and legs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from extract.replay.deribit_instruments import Instrument
from extract.replay.deribit_market import FUTURE_COMBO, INSTRUMENTS, OPTION_COMBO, index_price
from extract.replay.exact_json import number
from extract.replay.futures_tape import MINUTE, QUIET_MINUTE, WINDOW_END, WINDOW_START

FIRST_TRADE_ID = 310_000_001
FIRST_TRADE_SEQ = 1_000_001
EXPIRED_WINDOW_SHIFT = 16 * 60 * MINUTE  # the expired option traded on the morning before
FUTURE_SPREADS = tuple(map(Decimal, ("800.5", "802.0", "-3.5", "0.0", "799.5", "801.0")))
OPTION_SPREADS = tuple(map(Decimal, ("0.0200", "0.0195", "-0.0005", "0.0", "0.0205")))


@dataclass(slots=True)
class DeribitTrade:
    """One generated trade; sequence numbers and ids are given once all trades are in order.

    Attributes:
        amount: USD for inverse futures, else base coin.
        extras: what only some prints carry: block ids, `liquidation`, `iv`.
        combo: the combo's trade that this leg belongs to.
    """

    instrument: Instrument
    time: int
    price: Decimal
    amount: Decimal
    direction: str
    extras: dict[str, object] = field(default_factory=dict)
    combo: DeribitTrade | None = None
    legs: list[DeribitTrade] = field(default_factory=list)
    trade_seq: int = 0
    trade_number: int = 0
    tick_direction: int = 1

    @property
    def trade_id(self) -> str:
        """The id as Deribit writes it: a number for BTC, with the currency before it elsewhere."""
        return f"{self.instrument.family}{self.trade_number}"

    @property
    def sets_price(self) -> bool:
        """Only prints of the instrument's own book move a bar's open, high, low and close.

        Block prints were seen to be left out of the prices of Deribit's bars, but not of their
        volume; RFQ prints and combo legs are treated alike here, which no recording proves.
        """
        return "block_trade_id" not in self.extras and self.combo is None

    def to_json(self) -> dict[str, object]:
        """Return the object that `get_last_trades…` lists; numbers exact."""
        index = index_price(self.instrument.price_index, self.time)
        body: dict[str, object] = {
            "trade_seq": self.trade_seq,
            "trade_id": self.trade_id,
            "timestamp": self.time,
            "tick_direction": self.tick_direction,
            "price": number(self.price),
            "mark_price": number(self.price + self.instrument.tick),
            "instrument_name": self.instrument.name,
            "index_price": number(index),
            "direction": self.direction,
            "contracts": number(self.amount / self.instrument.contract_size),
            "amount": number(self.amount),
            **self.extras,
        }
        if self.combo is not None:
            body |= {"combo_id": self.combo.instrument.name, "combo_trade_id": self.combo.trade_id}
        if self.legs:
            body["legs"] = [leg.to_json() for leg in self.legs]
        return body


def generate(seed: int) -> Mapping[str, list[DeribitTrade]]:
    """Return every instrument's trades, by trade_seq; the same seed gives the same trades."""
    drafts = [trade for instrument in INSTRUMENTS.values() for trade in _book(instrument, seed)]
    drafts += [*_blocks(), *_liquidations(), *_combos()]
    drafts.sort(key=lambda trade: trade.time)
    _number(drafts)
    tapes: defaultdict[str, list[DeribitTrade]] = defaultdict(list)
    for trade in drafts:
        tapes[trade.instrument.name].append(trade)
    return tapes


def _book(instrument: Instrument, seed: int) -> Iterator[DeribitTrade]:
    random = Random(f"{seed}/{instrument.name}")
    price, made = instrument.first_price, 0
    shift = EXPIRED_WINDOW_SHIFT if instrument.expiry < WINDOW_START else 0
    while made < instrument.trades:
        time = random.randrange(WINDOW_START, WINDOW_END)
        if QUIET_MINUTE <= time < QUIET_MINUTE + MINUTE:
            continue
        direction = random.choice(("buy", "sell"))
        for _ in range(min(random.randrange(1, 5), instrument.trades - made)):
            steps = random.choice((-1, 0, 0, 1))
            price = max(price + steps * instrument.tick, instrument.tick)
            amount = random.randrange(1, 60) * instrument.amount_step
            extras: dict[str, object] = {}
            if instrument.strike is not None:
                extras["iv"] = number(_volatility(random))
            yield DeribitTrade(instrument, time - shift, price, amount, direction, extras)
            made += 1


def _volatility(random: Random) -> Decimal:
    return Decimal(random.randrange(4_500, 7_500)) / 100


def _blocks() -> Iterator[DeribitTrade]:
    """A block on the 0.01 block tick, off the book's 0.5, and an RFQ over two options."""
    block: dict[str, object] = {"block_trade_id": "BLOCK-180001", "block_trade_leg_count": 1}
    perpetual = INSTRUMENTS["BTC-PERPETUAL"]
    time = WINDOW_START + 3 * MINUTE + 30_000
    yield DeribitTrade(perpetual, time, Decimal("61655.13"), Decimal(250_000), "buy", block)
    rfq: dict[str, object] = {"block_trade_id": "BLOCK-180002", "block_trade_leg_count": 2}
    rfq["block_rfq_id"] = 5_001
    for name, price, direction in (
        ("BTC-9AUG24-60000-C", "0.0290", "buy"),
        ("BTC-9AUG24-62000-C", "0.0090", "sell"),
    ):
        extras = {**rfq, "iv": number(Decimal("55.5"))}
        option = INSTRUMENTS[name]
        yield DeribitTrade(option, time + 500, Decimal(price), Decimal(25), direction, extras)


def _liquidations() -> Iterator[DeribitTrade]:
    for name, price, party in (("BTC-PERPETUAL", "61640.5", "T"), ("ETH-PERPETUAL", "2682.8", "M")):
        time = WINDOW_START + 6 * MINUTE + 12_345
        extras: dict[str, object] = {"liquidation": party}
        instrument = INSTRUMENTS[name]
        yield DeribitTrade(instrument, time, Decimal(price), Decimal(5_000), "sell", extras)


def _combos() -> Iterator[DeribitTrade]:
    start = WINDOW_START + MINUTE
    for place, spread in enumerate(FUTURE_SPREADS):
        time = start + place * 97_001
        yield from _combo(FUTURE_COMBO, time, spread, Decimal(100), Decimal(61650))
    for place, spread in enumerate(OPTION_SPREADS):
        time = start + place * 103_003
        yield from _combo(OPTION_COMBO, time, spread, Decimal("0.5"), Decimal("0.0085"))


def _combo(
    instrument: Instrument, time: int, spread: Decimal, amount: Decimal, second_price: Decimal
) -> Iterator[DeribitTrade]:
    """Yield the combo's trade and its two legs: first leg's price minus the second's is its own."""
    combo = DeribitTrade(instrument, time, spread, amount, "buy")
    yield combo
    prices = (second_price + spread, second_price)
    for (name, side), price in zip(instrument.legs, prices, strict=True):
        direction = "buy" if side == "same" else "sell"
        leg = DeribitTrade(INSTRUMENTS[name], time + 1, price, amount, direction, combo=combo)
        if leg.instrument.strike is not None:
            leg.extras["iv"] = number(Decimal("51.25"))
        combo.legs.append(leg)
        yield leg


def _number(trades: Iterable[DeribitTrade]) -> None:
    """Give ids per currency, trade_seq per instrument, and the tick's direction, in time order."""
    next_id: defaultdict[str, int] = defaultdict(lambda: FIRST_TRADE_ID)
    last: dict[str, DeribitTrade] = {}
    for trade in trades:
        name, family = trade.instrument.name, trade.instrument.family
        trade.trade_number = next_id[family]
        next_id[family] += 1
        before = last.get(name)
        trade.trade_seq = FIRST_TRADE_SEQ if before is None else before.trade_seq + 1
        trade.tick_direction = 1 if before is None else _tick_direction(before, trade)
        last[name] = trade


def _tick_direction(before: DeribitTrade, trade: DeribitTrade) -> int:
    """0 up, 1 level after an up, 2 down, 3 level after a down."""
    if trade.price > before.price:
        return 0
    if trade.price < before.price:
        return 2
    return 1 if before.tick_direction in (0, 1) else 3
