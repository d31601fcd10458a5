"""One trade of Binance as each transport writes it, by the exchange's published field maps.

Streams and REST: binance-spot-api-docs and the docstrings of Binance's own SDKs for futures. The
bulk archive: binance-public-data, README.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise
from typing import Any

from pyspark.sql import Row

from tests.rows import as_json, line

#: From here on the archive of spot is in microseconds (ms of 2025-01-01).
MICROSECONDS_SINCE = 1_735_689_600_000
CONTRACT_SIZE = {"BTCUSD_PERP": Decimal(100)}
#: What a trade is, whatever brought it; its time is compared at the millisecond.
CONTRACT = (
    "instrument",
    "taker_side",
    "price",
    "quantity",
    "quote_quantity",
    "quantity_unit",
    "base_unit",
    "quote_unit",
    "contract_size",
)
TRADES_HEADER = "id,price,qty,quote_qty,time,is_buyer_maker"
AGG_TRADES_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
)


@dataclass(frozen=True, slots=True)
class Trade:
    """A trade or, where it has a range of trade ids, an aggregate; numbers as text, time in ms."""

    kind: str
    instrument: str
    id: int
    price: str
    quantity: str
    time: int
    buyer_is_maker: bool
    ids: tuple[int, int] | None = None

    @property
    def dataset(self) -> str:
        return "agg_trades" if self.ids else "trades"


def of_frame(kind: str, data: Mapping[str, Any]) -> Trade:
    """Read the event of a `@trade` or `@aggTrade` frame."""
    of_aggregate = data["e"] == "aggTrade"
    return Trade(
        kind,
        data["s"],
        data["a"] if of_aggregate else data["t"],
        data["p"],
        data["q"],
        data["T"],
        data["m"],
        (data["f"], data["l"]) if of_aggregate else None,
    )


def frame(trade: Trade) -> str:
    """Write a trade as the stream does."""
    name = "aggTrade" if trade.ids else "trade"
    data: dict[str, Any] = {
        "e": name,
        "E": trade.time + 2,
        "s": trade.instrument,
        ("a" if trade.ids else "t"): trade.id,
        "p": trade.price,
        "q": trade.quantity,
        **(dict(zip("fl", trade.ids, strict=True)) if trade.ids else {}),
        "T": trade.time,
        **({"X": "MARKET"} if trade.kind != "spot" and not trade.ids else {}),
        "m": trade.buyer_is_maker,
        **({"M": True} if trade.kind == "spot" else {}),
    }
    return as_json({"stream": f"{trade.instrument.lower()}@{name}", "data": data})


def rest_row(trade: Trade) -> dict[str, Any]:
    """Write a trade as a row of a REST answer."""
    best = {"M": True} if trade.ids else {"isBestMatch": True}
    if trade.ids:
        first, last = trade.ids
        row = {"a": trade.id, "p": trade.price, "q": trade.quantity, "f": first, "l": last}
        row |= {"T": trade.time, "m": trade.buyer_is_maker}
    else:
        row = {"id": trade.id, "price": trade.price, "qty": trade.quantity}
        row |= {"baseQty" if trade.kind == "coinm" else "quoteQty": _worth(trade)}
        row |= {"time": trade.time, "isBuyerMaker": trade.buyer_is_maker}
    return row | (best if trade.kind == "spot" else {})


def archive_line(trade: Trade) -> str:
    """Write a trade as a line of an archive file: spot's flags are `True`, futures' `true`."""
    spot = trade.kind == "spot"
    time = trade.time
    if spot and time >= MICROSECONDS_SINCE:
        # the archive alone knows the microseconds
        time = time * 1000 + 456
    flag = str(trade.buyer_is_maker)
    between = map(str, trade.ids) if trade.ids else (_worth(trade),)
    cells = [str(trade.id), trade.price, trade.quantity, *between, str(time)]
    return ",".join([*cells, *([flag, "True"] if spot else [flag.lower()])])


def bronze_lines(
    trades: Sequence[Trade], *, frames: Iterable[tuple[Trade, str]] | None = None
) -> list[str]:
    """Return envelopes of the same trades from the stream, from REST and from the archive.

    Args:
        trades: of one dataset.
        frames: the frames as recorded; written here where there are none.
    """
    of_instrument = defaultdict(list)
    for trade in trades:
        of_instrument[trade.kind, trade.instrument].append(trade)
    sent = frames if frames is not None else [(trade, frame(trade)) for trade in trades]
    found = [
        line(body, dataset=trade.dataset, kind=trade.kind, mode="live", instrument="", status=0)
        for trade, body in sent
    ]
    for (kind, instrument), held in of_instrument.items():
        named = {"dataset": held[0].dataset, "kind": kind, "instrument": instrument}
        header = AGG_TRADES_HEADER if held[0].ids else TRADES_HEADER
        file = [*([] if kind == "spot" else [header]), *map(archive_line, held)]
        found.append(line(as_json([rest_row(trade) for trade in held]), **named))
        found.append(line("\n".join(file) + "\n", mode="archive", **named))
    return found


def contract(row: Row) -> tuple[Any, ...]:
    """Return what a trade is, whatever brought it."""
    time = row["trade_timestamp"].isoformat(timespec="milliseconds")
    return (*[row[name] for name in CONTRACT], time)


def by_transport(
    rows: Iterable[Row], identifier: str
) -> dict[tuple[str, str, int], dict[str, tuple[Any, ...]]]:
    """Return of each trade (kind, instrument, id) what each source says that it is."""
    found: dict[tuple[str, str, int], dict[str, tuple[Any, ...]]] = defaultdict(dict)
    for row in rows:
        key = (row["kind"], row["instrument"], row[identifier])
        found[key][row["source"]] = contract(row)
    return dict(found)


def data_of(body: str) -> dict[str, Any]:
    """Return the event of a wrapped frame."""
    event: dict[str, Any] = json.loads(body, parse_float=str)["data"]
    return event


def assert_sides_follow_the_price(rows: list[Row]) -> None:
    """Hold sides against prices: where takers turn to buy, the price goes from bid up to ask."""
    identifier = "agg_id" if "agg_id" in rows[0] else "trade_seq"
    ordered = sorted(rows, key=lambda row: row[identifier])
    turns = [
        (after["price"] - before["price"]) * (1 if after["taker_side"] == "buy" else -1)
        for before, after in pairwise(ordered)
        if before["taker_side"] != after["taker_side"]
    ]
    right, wrong = sum(turn > 0 for turn in turns), sum(turn < 0 for turn in turns)
    assert right > 5 * wrong, (right, wrong)
    assert right > 50


def _worth(trade: Trade) -> str:
    """Return what Binance writes beside the quantity: spot and COIN-M cut at 8, USD-M at 2."""
    price, quantity = Decimal(trade.price), Decimal(trade.quantity)
    if trade.kind == "coinm":
        worth = quantity * CONTRACT_SIZE.get(trade.instrument, Decimal(10)) / price
    else:
        worth = price * quantity
    places = Decimal("0.01") if trade.kind == "usdm" else Decimal("0.00000001")
    return str(worth.quantize(places, rounding=ROUND_DOWN))
