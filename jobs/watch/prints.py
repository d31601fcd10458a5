"""The prints in raw answers of bronze, live frames and REST alike: only what a candle needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from transform.bars import PRINT_RULES

#: Binance's `X` of a trade frame -> our print_kind; a frame without it, and REST, are of the book.
BINANCE_KINDS = {"MARKET": "book", "INSURANCE_FUND": "insurance_fund", "ADL": "adl"}


@dataclass(frozen=True, slots=True)
class Print:
    """One trade, or one aggregate; `number` orders them, `quantity` is in the venue's own unit.

    Attributes:
        time_ms: the exchange's time (UNIX ms).
        trades: how many trades it stands for; 0, and no quantity, of one that no candle counts.
        sets_price: whether it may be a candle's open, high, low or close.
    """

    number: int
    time_ms: int
    price: Decimal
    quantity: Decimal
    trades: int
    sets_price: bool


def prints_in(record: Mapping[str, Any]) -> Iterator[Print]:
    """Yield the prints of an envelope of trades or aggregates.

    What can't be read is passed over: silver puts it to quarantine.
    """
    try:
        document = json.loads(record["body"], parse_float=Decimal)
        rows = list(_rows(document))
    except (ValueError, KeyError, TypeError):
        return
    of = _of_deribit if record["exchange"] == "deribit" else _of_binance
    for row in rows:
        try:
            found = of(row, record["kind"])
        except (KeyError, TypeError, ValueError, InvalidOperation):
            continue
        if _is_sound(found, record["kind"]):
            yield found


def _rows(document: Any) -> Iterator[Any]:
    """Yield the rows of a frame or an answer of either exchange."""
    if isinstance(document, list):
        yield from document
    elif "stream" in document:
        yield document["data"]
    elif "params" in document:
        yield from document["params"]["data"]
    else:
        yield from document["result"]["trades"]


def _of_binance(row: Mapping[str, Any], _: str) -> Print:
    if "a" in row and "f" in row:
        price, quantity, trades = Decimal(row["p"]), Decimal(row["q"]), row["l"] - row["f"] + 1
        if row["f"] < 0 or not quantity:
            # what Binance has invalidated
            return _uncounted(row["a"], row["T"], price)
        return Print(row["a"], row["T"], price, quantity, trades, sets_price=True)
    if "id" in row:
        return Print(
            row["id"], row["time"], Decimal(row["price"]), Decimal(row["qty"]), 1, sets_price=True
        )
    kind = BINANCE_KINDS.get(row["X"], "unknown") if "X" in row else "book"
    return _ruled(kind, row["t"], row["T"], Decimal(row["p"]), Decimal(row["q"]))


def _of_deribit(row: Mapping[str, Any], kind: str) -> Print:
    """Read a trade; a combo's legs print on their own instruments as well."""
    of_combo = row.get("combo_id") is not None or row.get("combo_trade_id") is not None
    if row.get("block_rfq_id") is not None:
        print_kind = "rfq"
    elif row.get("block_trade_id") is not None:
        print_kind = "block"
    elif of_combo and not kind.endswith("_combo"):
        print_kind = "combo_leg"
    else:
        print_kind = "book"
    price, quantity = Decimal(row["price"]), Decimal(row["amount"])
    return _ruled(print_kind, row["trade_seq"], row["timestamp"], price, quantity)


def _ruled(print_kind: str, number: int, time_ms: int, price: Decimal, quantity: Decimal) -> Print:
    rule = PRINT_RULES[print_kind]
    if not rule.counts:
        return _uncounted(number, time_ms, price)
    return Print(number, time_ms, price, quantity, 1, sets_price=rule.sets_price)


def _uncounted(number: int, time_ms: int, price: Decimal) -> Print:
    """Return a print that is known, and counts in no candle."""
    return Print(number, time_ms, price, Decimal(0), 0, sets_price=False)


def _is_sound(found: Print, kind: str) -> bool:
    """Tell whether silver takes it; the prices of combos may be zero or less."""
    if not found.trades:
        return True
    return found.quantity > 0 and (found.price > 0 or kind.endswith("_combo"))
