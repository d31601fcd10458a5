"""Deribit's funding by the hour: answers to candidates of `silver.funding_rates`."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake.schemas import PRICE
from lake.schemas_of_perpetuals import FUNDING_RATES, RATE
from transform import columns, deribit_answers, listings, rows
from transform.columns import Field

PARSER_VERSION = 1
_NAMES = ("timestamp", "interest_1h", "interest_8h", "index_price", "prev_index_price")
#: What Deribit does not say of an hour.
_UNSAID = ("mark_price", "rate_type")


def funding_rates(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read hours of funding into candidates of `silver.funding_rates`.

    Deribit pays funding all the time; what it publishes of an hour is stamped with the hour's end.
    The rate is `interest_1h`, so that it is for one hour.

    Args:
        envelopes: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`.
    """
    exploded = deribit_answers.hours(envelopes, _NAMES)
    fields = _fields()
    faults = columns.all_faults(fields.values())
    sent = columns.micros(fields["exchange_timestamp"].value)
    typed = exploded.withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            **{name: F.lit(None) for name in _UNSAID},
            "funding_timestamp": F.timestamp_micros(sent),
            "funding_interval_hours": F.lit(1),
            "text_is_sound": F.size(columns.reasons(faults)) == 0,
            "revision": F.lit(0),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    known = listings.attach(typed, instruments, at="funding_timestamp")
    described = known.withColumns(
        {"instrument_uid": listings.uid(), **columns.day("funding_timestamp")}
    )
    rules = [*rows.funding_rules(), *deribit_answers.rules("exchange_timestamp")]
    return rows.candidates(described, text=faults, rules=rules, schema=FUNDING_RATES)


def _fields() -> dict[str, Field]:
    number = deribit_answers.number
    return {
        "exchange_timestamp": deribit_answers.integer("timestamp", "funding_time"),
        "funding_rate": number("interest_1h", "funding_rate", RATE),
        "funding_rate_8h": number("interest_8h", "funding_rate_8h", RATE, required=False),
        "index_price": number("index_price", "index_price", PRICE, required=False),
        "previous_index_price": number(
            "prev_index_price", "previous_index_price", PRICE, required=False
        ),
    }
