"""Deribit's index prices, polled or listened to: to candidates of `silver.index_prices`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake.schemas import PRICE
from lake.schemas_of_indexes import INDEX_PRICES
from transform import columns, deribit_answers, rows
from transform.columns import Fault, Field
from transform.index_minutes import MINUTE_MICROS

PARSER_VERSION = 1
#: Deribit has no kind of index.
KIND = "index"
POLLED, LISTENED = "get_index_price", "deribit_price_index"
#: The names of OpenAPI 2.1.1 are of this form, such as btc_usd and drbfix-btc_usdc.
_NAME = r"^[a-z0-9-]+_[a-z0-9]+\z"


def index_prices(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read index prices into candidates of `silver.index_prices`.

    A price stands for the minute at whose end it stood. A frame of the channel belongs to the
    minute of its own time. An answer carries no time: the server's answer time stands in, and the
    price belongs to the minute that had ended last by then.

    Args:
        envelopes: as `transform.envelopes.read` returns them; `request` names the index asked for.
        instruments: not looked at, for an index is no instrument.
    """
    del instruments
    exploded = deribit_answers.index_prices(envelopes)
    fields = _fields()
    faults = columns.all_faults(fields.values())
    listened, moment = F.col("is_frame"), F.col("price_micros")
    named = F.coalesce("object.index_name", "asked", F.nullif("instrument", F.lit("")))
    typed = exploded.withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            "landed_as": F.nullif("instrument", F.lit("")),
            "instrument": named,
            "instrument_uid": named,
            "price_micros": columns.micros(fields["exchange_timestamp"].value),
            "price_source": F.when(listened, LISTENED).otherwise(POLLED),
            "timestamp_source": F.when(listened, "exchange").otherwise("server_answer_time"),
            "text_is_sound": F.size(columns.reasons(faults)) == 0,
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    before = F.when(listened, 0).otherwise(MINUTE_MICROS)
    start = moment - F.pmod(moment, F.lit(MINUTE_MICROS)) - before
    timed = typed.withColumns(
        {"price_timestamp": F.timestamp_micros(moment), "minute": F.timestamp_micros(start)}
    )
    described = timed.withColumns(columns.day("minute"))
    rules = [*rows.index_price_rules(), *_rules()]
    return rows.candidates(described, text=faults, rules=rules, schema=INDEX_PRICES)


def _fields() -> dict[str, Field]:
    number = deribit_answers.number
    estimated = "estimated_delivery_price"
    return {
        "exchange_timestamp": deribit_answers.integer("time", "price_time"),
        "price": number("price", "price", PRICE),
        estimated: number(estimated, estimated, PRICE, required=False),
    }


def _rules() -> list[Fault]:
    sent, listened = F.col("exchange_timestamp"), F.col("is_frame")
    in_micros = sent >= columns.FIRST_MICROSECONDS
    return [
        Fault(F.col("kind") != KIND, "kind_unknown"),
        Fault(~F.col("instrument").rlike(_NAME), "index_name_odd"),
        Fault(
            _differs("landed_as") | _differs("asked") | _differs("channel"), "instrument_differs"
        ),
        Fault(listened == in_micros, "time_unit_unexpected"),
    ]


def _differs(name: str) -> Column:
    return F.coalesce(F.col(name) != F.col("instrument"), F.lit(False))
