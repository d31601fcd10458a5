"""Binance's trades and aggregate trades: bronze envelopes to candidates for silver.

Three sources, one meaning: REST answers, websocket frames and lines of the bulk archive. Prices
and quantities are text in all of them, so every digit is checked before it is cast.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import binance_answers, columns, exact_json, listings, rows
from transform.binance_answers import EXCHANGE, archived, cell, sliced
from transform.binance_klines import klines
from transform.columns import Fault, Field

__all__ = ["EXCHANGE", "PARSER_VERSION", "agg_trades", "klines", "trades"]

PARSER_VERSION = 1
_ID, _FLAG = r"-?\d{1,18}", "(?:[Tt]rue|[Ff]alse)"
_PRICE, _QUANTITY = columns.fits(schemas.PRICE), columns.fits(schemas.QUANTITY)
_AMOUNT = columns.fits(schemas.AMOUNT)
_AGG_TRADE_LINE = rf"^{_ID},{_PRICE},{_QUANTITY},{_ID},{_ID},{_ID},{_FLAG}(?:,{_FLAG})?\z"
#: Streams leave the quote quantity out.
_TRADE_LINE = rf"^{_ID},{_PRICE},{_QUANTITY},(?:{_AMOUNT})?,{_ID},{_FLAG}(?:,{_FLAG})?\z"
_JSON_ID, _JSON_FLAG = r"-?(?:0|[1-9]\d{0,17})", "(?:true|false)"
#: Elements as REST writes them, without their braces; any other order or field is parsed as JSON.
_USUAL_AGG_TRADE = (
    rf'^"a":{_JSON_ID},"p":"{_PRICE}","q":"{_QUANTITY}","f":{_JSON_ID},"l":{_JSON_ID},'
    rf'"T":{_JSON_ID},"m":{_JSON_FLAG}(?:,"M":{_JSON_FLAG})?\z'
)
_USUAL_TRADE = (
    rf'^"id":{_JSON_ID},"price":"{_PRICE}","qty":"{_QUANTITY}","(?:quoteQty|baseQty)":"{_AMOUNT}",'
    rf'"time":{_JSON_ID},"isBuyerMaker":{_JSON_FLAG}(?:,"isBestMatch":{_JSON_FLAG})?\z'
)
_AGG_TRADE = ("a", "p", "q", "f", "l", "T", "m")
_REST_TRADE = ("id", "price", "qty", "quoteQty", "time", "isBuyerMaker")
_STREAM_TRADE = ("t", "p", "q", "m", "X", "s", "b", "a")
#: Frames of the trade stream named both orders; Binance has taken the ids out of them since.
_ORDER_IDS = {"buyer_order_id": "b", "seller_order_id": "a"}
#: What the raw trade stream of futures says of a print (`X`).
_PRINT_KINDS = {"MARKET": "book", "INSURANCE_FUND": "insurance_fund", "ADL": "adl"}
#: What Binance does not say of a trade.
_UNSAID = ("mark_price", "index_price", "iv", "liquidation", "block_trade_id", "combo_id")


def agg_trades(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read aggregate trades into candidates of `silver.agg_trades`.

    Args:
        envelopes: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`; COIN-M needs its contract size.
    """
    exploded = binance_answers.explode(envelopes, "agg_trades", usual=_USUAL_AGG_TRADE)
    keyed = _objects(exploded, (*_AGG_TRADE, "s"))
    of_json = F.array(*[F.col(f"object.{name}") for name in _AGG_TRADE])
    fields = {
        "agg_id": columns.integer(cell(0), "agg_id"),
        "price": columns.decimal(cell(1), "price", schemas.PRICE),
        "quantity": columns.decimal(cell(2), "quantity", schemas.QUANTITY),
        "first_trade_seq": columns.integer(cell(3), "first_trade_id"),
        "last_trade_seq": columns.integer(cell(4), "last_trade_id"),
        "exchange_timestamp": columns.integer(cell(5), "trade_time"),
        "buyer_is_maker": columns.flag(cell(6), "buyer_is_maker"),
    }
    typed = binance_answers.typed(keyed, of_json, fields, _AGG_TRADE_LINE)
    return rows.candidates(
        _valued(typed, instruments),
        text=binance_answers.text_faults(fields, counts=(7, 8)),
        rules=_rules(rows.agg_trade_rules()),
        schema=schemas.AGG_TRADES,
    )


def trades(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read trades into candidates of `silver.trades`; the arguments are those of `agg_trades`.

    An order id that was sent and is no integer is a fault; one that was not sent is null.
    """
    exploded = binance_answers.explode(envelopes, "trades", usual=_USUAL_TRADE)
    keyed = _objects(exploded, (*_REST_TRADE, *_STREAM_TRADE))
    fourth = columns.decimal(cell(3), "quote_quantity_sent", schemas.AMOUNT, required=False)
    # COIN-M has the base quantity in this place
    quote_quantity_sent = F.when(F.col("kind") != "coinm", fourth.value)
    fields = {
        "trade_seq": columns.integer(cell(0), "trade_id"),
        "price": columns.decimal(cell(1), "price", schemas.PRICE),
        "quantity": columns.decimal(cell(2), "quantity", schemas.QUANTITY),
        "quote_quantity_sent": Field(quote_quantity_sent, fourth.faults),
        "exchange_timestamp": columns.integer(cell(4), "trade_time"),
        "buyer_is_maker": columns.flag(cell(5), "buyer_is_maker"),
    }
    orders = {
        name: columns.integer(F.col(f"object.{sent}"), name, required=False)
        for name, sent in _ORDER_IDS.items()
    }
    of_orders = columns.all_faults(orders.values())
    typed = binance_answers.typed(keyed, _trade_cells(), fields, _TRADE_LINE).withColumns(
        {
            **{name: field.value for name, field in orders.items()},
            "text_is_sound": F.col("text_is_sound") & columns.none_holds(of_orders),
            "trade_id": F.col("trade_seq").cast("string"),
            "print_kind": _print_kind(),
            **{name: F.lit(None) for name in _UNSAID},
        }
    )
    return rows.candidates(
        _valued(typed, instruments),
        text=[*binance_answers.text_faults(fields, counts=(6, 7)), *of_orders],
        rules=_rules(rows.trade_rules()),
        schema=schemas.TRADES,
    )


def _objects(exploded: DataFrame, names: tuple[str, ...]) -> DataFrame:
    """Add `object`, a JSON element's values by name as text, and the `sent_instrument`."""
    schema = ", ".join(f"{name} STRING" for name in names)
    parsed = F.when(~(archived() | sliced()), exact_json.fields(F.col("element"), schema))
    return exploded.withColumn("object", parsed).withColumn("sent_instrument", F.col("object.s"))


def _trade_cells() -> Column:
    """Return a JSON trade's values in the order of the archive's columns, REST or stream."""
    value = {name: F.col(f"object.{name}") for name in (*_REST_TRADE, *_STREAM_TRADE)}
    # `t` is the id and `T` the time: one struct can't hold both
    time = exact_json.fields(F.col("element"), "T STRING")["T"]
    return F.array(
        F.coalesce(value["id"], value["t"]),
        F.coalesce(value["price"], value["p"]),
        F.coalesce(value["qty"], value["q"]),
        value["quoteQty"],
        F.coalesce(value["time"], time),
        F.coalesce(value["isBuyerMaker"], value["m"]),
    )


def _print_kind() -> Column:
    said = F.col("object.X")
    known = [F.when(said == word, kind) for word, kind in _PRINT_KINDS.items()]
    return F.when(said.isNull(), "book").otherwise(F.coalesce(*known, F.lit("unknown")))


def _valued(typed: DataFrame, instruments: DataFrame) -> DataFrame:
    """Add time, side, units, value and lineage to trades of either dataset."""
    timed = typed.withColumns(
        {
            "instrument": F.coalesce(F.nullif("instrument", F.lit("")), "sent_instrument"),
            "trade_timestamp": F.timestamp_micros(columns.micros(F.col("exchange_timestamp"))),
            "taker_side": F.when(F.col("buyer_is_maker"), "sell").when(
                ~F.col("buyer_is_maker"), "buy"
            ),
            "price_by_quantity": F.try_multiply("price", "quantity"),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    known = listings.attach(timed, instruments, at="trade_timestamp")
    coinm = F.col("kind") == "coinm"
    size = F.when(coinm, F.col("listing.contract_size")).otherwise(F.lit(1).cast(schemas.PRICE))
    by_contract = F.try_multiply("quantity", "listing.contract_size")
    value = F.when(coinm, by_contract).otherwise(F.col("price_by_quantity"))
    return known.withColumns(
        {
            "instrument_uid": listings.uid(),
            "base_unit": F.col("listing.base_unit"),
            "quote_unit": F.col("listing.quote_unit"),
            "quantity_unit": F.when(coinm, "contract").otherwise(F.col("listing.base_unit")),
            "contract_size": size,
            "quote_quantity": value,
            **columns.day("trade_timestamp"),
        }
    )


def _rules(of_table: list[Fault]) -> list[Fault]:
    unsized = (F.col("kind") == "coinm") & F.col("contract_size").isNull()
    return [
        *of_table,
        *binance_answers.rules("exchange_timestamp"),
        Fault(unsized, "instrument_unknown"),
    ]
