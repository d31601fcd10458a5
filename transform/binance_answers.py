"""Binance's answers taken apart: JSON arrays, websocket frames and lines of the bulk archive."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from transform import columns, envelopes, exact_json
from transform.columns import Fault, Field

EXCHANGE = "binance"
KINDS = ("spot", "usdm", "coinm")
#: Spot archives are in microseconds from 2025-01-01 on (binance-public-data, README).
MICROSECONDS_SINCE = 1_735_689_600_000_000
#: The archive's header rows name their columns in small letters, such as `agg_trade_id`.
_HEADER = r"^[a-z_]+,"


def archived() -> Column:
    """Return whether a row comes from the bulk archive (data.binance.vision)."""
    return F.col("mode") == "archive"


def cell(position: int) -> Column:
    """Return a cell of a row as text, null where it has none."""
    return F.get("cells", F.lit(position))


def explode(answers: DataFrame, dataset: str) -> DataFrame:
    """Explode answers into elements, one row each, headers of archive files left out.

    An element is a JSON text with its numbers as strings, or a line of an archive file;
    `payload` is what was sent.
    """
    rows = envelopes.explode(
        answers, exchange=EXCHANGE, dataset=dataset, elements=_elements(), fault=_fault()
    )
    header = archived() & (F.col("row_position") == 0) & F.col("element").rlike(_HEADER)
    element = F.col("element")
    return rows.where(~header).withColumns(
        {
            "payload": F.when(archived(), element).otherwise(exact_json.restored(element)),
            "element": F.when(archived(), element).otherwise(exact_json.unmarked(element)),
        }
    )


def typed(rows: DataFrame, of_json: Column, fields: Mapping[str, Field], pattern: str) -> DataFrame:
    """Add the typed `fields`, the `cells` that they come from, and `text_is_sound`.

    Args:
        rows: exploded.
        of_json: ARRAY<STRING> of a JSON element's values, in the order of the archive's columns.
        fields: name -> value read from `cell(...)`.
        pattern: what the cells, joined by commas, match if and only if none has a fault: one
            pattern a row is far cheaper than some a cell.
    """
    # a comma inside a JSON value makes one cell too many: no other reading of it can match
    line = F.when(archived(), F.col("element")).otherwise(F.array_join("cells", ",", ""))
    return rows.withColumn(
        "cells", F.when(archived(), F.split("element", ",")).otherwise(of_json)
    ).withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            "text_is_sound": F.coalesce(line.rlike(pattern), F.lit(False)),
        }
    )


def text_faults(fields: Mapping[str, Field], *, counts: tuple[int, ...]) -> list[Fault]:
    """Return what can be wrong with the text of a row; `counts`: how many cells it may have."""
    miscounted = ~F.size("cells").isin(*counts)
    return [Fault(miscounted, "columns_unexpected"), *columns.all_faults(fields.values())]


def rules(sent_time: str) -> list[Fault]:
    """Return the rules of every Binance row; `sent_time` is the column of its time as sent.

    The unit of a time is told by magnitude, and held against what is known of the source:
    futures are always in ms, spot archives in µs since 2025; REST may be in µs where a header
    asked for it (binance-spot-api-docs, CHANGELOG 2024-12-17).
    """
    sent = F.col(sent_time)
    in_micros = sent >= columns.FIRST_MICROSECONDS
    due = archived() & (columns.micros(sent) >= MICROSECONDS_SINCE)
    spot = F.col("kind") == "spot"
    odd = F.when(~spot, in_micros).when(archived(), in_micros != due)
    return [
        Fault(~F.col("kind").isin(*KINDS), "kind_unknown"),
        Fault(F.col("sent_instrument") != F.col("instrument"), "instrument_differs"),
        Fault(odd, "time_unit_unexpected"),
    ]


def _elements() -> Column:
    body = F.col("body")
    begins = F.ltrim(body, F.lit(" \t\r\n"))
    return (
        F.when(archived(), _lines(body))
        .when(begins.startswith("["), exact_json.elements(body))
        .when(begins.startswith("{"), _event(body))
    )


def _lines(body: Column) -> Column:
    ended = F.rtrim(body, F.lit("\r\n"))
    return F.split(F.replace(ended, F.lit("\r\n"), F.lit("\n")), "\n")


def _event(body: Column) -> Column:
    """Return a websocket frame's event, wrapped in `{stream, data}` or not."""
    marked = exact_json.marked(body)
    frame = exact_json.fields(marked, "data STRING, e STRING")
    return F.when(frame["data"].isNotNull(), F.array(frame["data"])).when(
        frame["e"].isNotNull(), F.array(marked)
    )


def _fault() -> Column:
    error = exact_json.fields(F.col("body"), "code STRING, msg STRING")
    is_error = error["code"].isNotNull() & error["msg"].isNotNull()
    return F.when(is_error, "answer_is_an_error").otherwise("answer_not_understood")
