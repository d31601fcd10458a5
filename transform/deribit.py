"""Deribit's trades and chart bars: bronze envelopes to candidates for silver.

Deribit sends JSON numbers; they are read from the very digits that it sent (see `exact_json`).
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import columns, deribit_answers, listings, rows
from transform.columns import Fault, Field
from transform.deribit_answers import EXCHANGE, sent
from transform.deribit_klines import klines

__all__ = ["EXCHANGE", "PARSER_VERSION", "klines", "trades"]

PARSER_VERSION = 1
_NUMBERS = ("trade_seq", "timestamp", "price", "amount", "mark_price", "index_price", "iv")
_TEXTS = (
    "trade_id",
    "instrument_name",
    "direction",
    "liquidation",
    "block_trade_id",
    "block_rfq_id",
    "combo_id",
    "combo_trade_id",
)
#: What Deribit does not say of a trade.
_UNSAID = ("quote_quantity_sent", "buyer_order_id", "seller_order_id")


def trades(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read trades into candidates of `silver.trades`.

    Args:
        envelopes: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`; futures need to be known as linear or inverse.
    """
    exploded = deribit_answers.trades(envelopes, (*_NUMBERS, *_TEXTS))
    fields = _fields()
    faults = [*columns.all_faults(fields.values()), *_text_faults()]
    typed = exploded.withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            **{name: sent(name) for name in ("trade_id", "liquidation", "combo_id")},
            "block_trade_id": sent("block_trade_id"),
            "taker_side": sent("direction"),
            "print_kind": _print_kind(),
            "instrument": F.coalesce(sent("instrument_name"), "instrument"),
            "asked_instrument": F.nullif("instrument", F.lit("")),
            "trade_timestamp": F.timestamp_micros(
                columns.micros(fields["exchange_timestamp"].value)
            ),
            "text_is_sound": F.size(columns.reasons(faults)) == 0,
        }
    )
    valued = _valued(listings.attach(typed, instruments, at="trade_timestamp"))
    rules = [*rows.trade_rules(), *_rules()]
    return rows.candidates(valued, text=faults, rules=rules, schema=schemas.TRADES)


def _fields() -> dict[str, Field]:
    """Return the typed values; `trade_seq` runs on without a gap within an instrument."""
    number = deribit_answers.number
    optional = ("mark_price", "index_price", "iv")
    return {
        "trade_seq": deribit_answers.integer("trade_seq"),
        "exchange_timestamp": deribit_answers.integer("timestamp", "trade_time"),
        "price": number("price", "price", schemas.PRICE),
        "quantity": number("amount", "quantity", schemas.QUANTITY),
        **{name: number(name, name, schemas.PRICE, required=False) for name in optional},
        **{name: Field(F.lit(None), ()) for name in _UNSAID},
    }


def _text_faults() -> list[Fault]:
    side = sent("direction")
    return [
        Fault(sent("trade_id").isNull(), "trade_id_missing"),
        Fault(side.isNull(), "taker_side_missing"),
        Fault(~side.isin("buy", "sell"), "taker_side_unknown"),
        Fault(~sent("liquidation").isin("M", "T", "MT", "none"), "liquidation_unknown"),
    ]


def _print_kind() -> Column:
    """Return how a print came about; a combo's legs print on their own instruments as well."""
    of_combo = sent("combo_id").isNotNull() | sent("combo_trade_id").isNotNull()
    on_leg = ~F.col("kind").isin(*rows.COMBOS)
    return (
        F.when(sent("block_rfq_id").isNotNull(), "rfq")
        .when(sent("block_trade_id").isNotNull(), "block")
        .when(of_combo & on_leg, "combo_leg")
        .otherwise("book")
    )


def _valued(known: DataFrame) -> DataFrame:
    """Add units and value: inverse futures count in quote units, all else in base units."""
    in_quote = deribit_answers.counts_in_quote()
    amount = F.col("quantity").cast(schemas.AMOUNT)
    value = F.when(in_quote, amount).otherwise(F.try_multiply("price", "quantity"))
    unit = F.when(in_quote, F.col("listing.quote_unit")).otherwise(F.col("listing.base_unit"))
    return known.withColumns(
        {
            "instrument_uid": listings.uid(),
            "base_unit": F.col("listing.base_unit"),
            "quote_unit": F.col("listing.quote_unit"),
            "quantity_unit": unit,
            "contract_size": F.col("listing.contract_size"),
            "quote_quantity": value,
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
            **columns.day("trade_timestamp"),
        }
    )


def _rules() -> list[Fault]:
    differs = F.col("asked_instrument") != F.col("instrument")
    return [
        *deribit_answers.rules("exchange_timestamp"),
        Fault(differs, "instrument_differs"),
        Fault(deribit_answers.direction_unknown(), "instrument_unknown"),
    ]
