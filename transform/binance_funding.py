"""Binance's funding rates: REST answers and archive lines to candidates for silver."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake.schemas import PRICE
from lake.schemas_of_perpetuals import FUNDING_RATES, RATE
from transform import binance_answers, columns, exact_json, listings, rows
from transform.binance_answers import archived, cell
from transform.columns import Field

PARSER_VERSION = 1
_TIME, _RATE, _PRICE = r"-?\d{1,18}", columns.fits(RATE), columns.fits(PRICE)
#: The archive gives the first three; REST leaves out the hours.
_LINE = rf"^{_TIME},(?:\d{{1,4}})?,{_RATE}(?:,(?:{_PRICE})?,[^,]*)?\z"
_OBJECT = "symbol STRING, fundingTime STRING, fundingRate STRING, markPrice STRING, rateType STRING"
#: What Binance does not say of a settlement.
_UNSAID = ("funding_rate_8h", "index_price", "previous_index_price")


def funding_rates(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read funding rates into candidates of `silver.funding_rates`.

    The archive says for how many hours a rate is, REST does not. REST gives the mark price, an
    empty text in its place where it has none.

    Args:
        envelopes: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`.
    """
    exploded = binance_answers.explode(envelopes, "funding_rates")
    sent = F.when(~archived(), exact_json.fields(F.col("element"), _OBJECT))
    keyed = exploded.withColumn("object", sent).withColumn(
        "sent_instrument", F.col("object.symbol")
    )
    typed = binance_answers.typed(keyed, _cells(), _fields(), _LINE)
    timed = typed.withColumns(
        {
            "funding_timestamp": F.timestamp_micros(columns.micros(F.col("exchange_timestamp"))),
            "rate_type": _said(cell(4)),
            **{name: F.lit(None) for name in _UNSAID},
            "revision": F.lit(0),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    known = listings.attach(timed, instruments, at="funding_timestamp")
    described = known.withColumns(
        {"instrument_uid": listings.uid(), **columns.day("funding_timestamp")}
    )
    return rows.candidates(
        described,
        text=binance_answers.text_faults(_fields(), counts=(3, 5)),
        rules=[*rows.funding_rules(), *binance_answers.rules("exchange_timestamp")],
        schema=FUNDING_RATES,
    )


def _cells() -> Column:
    """Return a JSON settlement's values, in the order of the archive's columns."""
    value = {name: F.col(f"object.{name}") for name in ("fundingTime", "fundingRate")}
    hours = F.lit(None).cast("string")
    return F.array(
        value["fundingTime"],
        hours,
        value["fundingRate"],
        F.col("object.markPrice"),
        F.col("object.rateType"),
    )


def _fields() -> dict[str, Field]:
    return {
        "exchange_timestamp": columns.integer(cell(0), "funding_time"),
        "funding_interval_hours": columns.integer(
            cell(1), "funding_interval_hours", required=False
        ),
        "funding_rate": columns.decimal(cell(2), "funding_rate", RATE),
        "mark_price": columns.decimal(_said(cell(3)), "mark_price", PRICE, required=False),
    }


def _said(text: Column) -> Column:
    return F.nullif(text, F.lit(""))
