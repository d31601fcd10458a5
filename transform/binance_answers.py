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
#: What a slice has beside its values: the names of its fields, and quotation marks.
_NAMES = '"[A-Za-z]+":|"'


def sliced() -> Column:
    """Return whether a row was cut out of an answer whose every element is written as usual.

    Such text needs no JSON parser, which costs most of the time that a batch takes.
    """
    return F.col("is_sliced")


def archived() -> Column:
    """Return whether a row comes from the bulk archive (data.binance.vision)."""
    return F.col("is_archived")


def cell(position: int) -> Column:
    """Return a cell of a row as text, null where it has none."""
    return F.get("cells", F.lit(position))


def explode(answers: DataFrame, dataset: str, *, usual: str | None = None) -> DataFrame:
    """Explode answers into elements, one row each, headers of archive files left out.

    Args:
        answers: as `envelopes.read` returns them.
        dataset: the only one that the caller can read.
        usual: the pattern of an element as Binance writes it, without its braces: a whole answer
            of such elements is sliced, any other goes through the JSON parser.

    Returns:
        The columns of `envelopes.explode`, `is_archived` and `is_sliced` BOOLEAN, and `payload`
        STRING, what was sent. An element is a JSON text with its numbers as strings, a slice
        without its braces, or a line of an archive file.
    """
    is_archived = F.coalesce(F.col("mode") == "archive", F.lit(False))
    known = _sliced(answers.withColumn("is_archived", is_archived), usual)
    rows = envelopes.explode(
        known, exchange=EXCHANGE, dataset=dataset, elements=_elements(), fault=_fault()
    ).drop("slices")
    header = archived() & (F.col("row_position") == 0) & F.col("element").rlike(_HEADER)
    element = F.col("element")
    as_sent = F.when(archived(), element).when(sliced(), F.concat(F.lit("{"), element, F.lit("}")))
    as_text = F.when(archived() | sliced(), element)
    return rows.where(~header).withColumns(
        {
            "payload": as_sent.otherwise(exact_json.restored(element)),
            "element": as_text.otherwise(exact_json.unmarked(element)),
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
    values = F.when(archived(), F.split("element", ","))
    values = values.when(sliced(), F.split(F.regexp_replace("element", _NAMES, ""), ","))
    return rows.withColumn("cells", values.otherwise(of_json)).withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            # a slice has matched a pattern that is as strict
            "text_is_sound": sliced() | F.coalesce(line.rlike(pattern), F.lit(False)),
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


def _sliced(answers: DataFrame, usual: str | None) -> DataFrame:
    """Add `slices` ARRAY<STRING>, the answer cut between its objects, and `is_sliced`."""
    if usual is None:
        return answers.withColumns(
            {"slices": F.lit(None).cast("array<string>"), "is_sliced": F.lit(False)}
        )
    body = F.col("body")
    inner = F.substr(body, F.lit(3), F.length(body) - 4)
    as_usual = ~archived() & body.startswith("[{") & body.endswith("}]")
    cut = answers.withColumn("slices", F.when(as_usual, F.split(inner, r"\},\{")))
    matching = F.forall("slices", lambda piece: piece.rlike(usual))
    return cut.withColumn("is_sliced", F.coalesce(matching, F.lit(False)))


def _elements() -> Column:
    body = F.col("body")
    begins = F.ltrim(body, F.lit(" \t\r\n"))
    return (
        F.when(archived(), _lines(body))
        .when(sliced(), F.col("slices"))
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
