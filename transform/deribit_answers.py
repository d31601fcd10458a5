"""Deribit's answers taken apart: the JSON-RPC envelope, its trades, bars and hours of funding."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from transform import columns, envelopes, exact_json
from transform.columns import Fault, Field

EXCHANGE = "deribit"
KINDS = ("future", "option", "spot", "future_combo", "option_combo")
CHART = ("ticks", "open", "high", "low", "close", "volume", "cost")
_RESULT = "result STRUCT<trades ARRAY<STRING>>, params STRUCT<data ARRAY<STRING>>"
_INDEX_ANSWER = (
    "result STRUCT<index_price: STRING, estimated_delivery_price: STRING>, usOut STRING,"
    " params STRUCT<channel: STRING,"
    " data: STRUCT<timestamp: STRING, price: STRING, index_name: STRING>>"
)
_CHART_RESULT = ", ".join(f"{name}: ARRAY<STRING>" for name in CHART)


def trades(answers: DataFrame, names: Iterable[str]) -> DataFrame:
    """Explode answers and websocket frames into trades, with `object`: their values by name."""
    body = F.col("marked")
    parsed = _answers(answers).withColumn("answer", exact_json.fields(body, _RESULT))
    elements = F.coalesce("answer.result.trades", "answer.params.data")
    schema = ", ".join(f"{name} STRING" for name in names)
    exploded = envelopes.explode(
        parsed, exchange=EXCHANGE, dataset="trades", elements=elements, fault=_fault()
    )
    return exploded.withColumns(
        {
            "object": exact_json.fields(F.col("element"), schema),
            "payload": exact_json.restored(F.col("element")),
        }
    )


def bars(answers: DataFrame) -> DataFrame:
    """Explode chart answers into bars, with `object`: the values of each place of the arrays.

    `answered_at` is the server's own clock when it answered, in microseconds. An array that is
    shorter than another leaves nulls; one that is missing makes the answer faulty. A frame of the
    chart's channel is no bar: it never says that one is final, so it stays in bronze.
    """
    frame = "params STRUCT<data STRUCT<tick STRING>>"
    schema = f"result STRUCT<status: STRING, {_CHART_RESULT}>, usOut STRING, {frame}"
    parsed = _answers(answers).withColumn("answer", exact_json.fields(F.col("marked"), schema))
    arrays = [F.col(f"answer.result.{name}") for name in CHART]
    whole = F.concat(*[F.size(array) for array in arrays]).isNotNull()
    zipped = F.transform(F.arrays_zip(*arrays), _as_json)
    no_data = F.col("answer.result.status") == "no_data"
    nothing = no_data | F.col("answer.params.data.tick").isNotNull()
    elements = F.when(whole, zipped).when(nothing, F.array().cast("array<string>"))
    timed = parsed.withColumn("answered_at", exact_json.number(F.col("answer.usOut")))
    exploded = envelopes.explode(
        timed, exchange=EXCHANGE, dataset="klines", elements=elements, fault=_fault()
    )
    names = ", ".join(f"{name} STRING" for name in CHART)
    return exploded.withColumns(
        {
            "object": exact_json.fields(F.col("element"), names),
            "payload": exact_json.restored(F.col("element")),
            "answered_at": F.col("answered_at").try_cast("bigint"),
        }
    )


def chart_frames(answers: DataFrame) -> DataFrame:
    """Explode frames of the chart's channel into states of bars, with `object` as of `bars`."""
    schema = "params STRUCT<data: STRING>"
    parsed = _answers(answers).withColumn("answer", exact_json.fields(F.col("marked"), schema))
    data = F.col("answer.params.data")
    exploded = envelopes.explode(
        parsed,
        exchange=EXCHANGE,
        dataset="klines",
        elements=F.when(data.isNotNull(), F.array(data)),
        fault=_fault(),
    )
    names = ", ".join(f"{name} STRING" for name in ("tick", *CHART[1:]))
    state = exact_json.fields(F.col("element"), names)
    return exploded.withColumn("state", state).withColumns(
        {
            "object": F.struct(
                F.col("state.tick").alias(CHART[0]), *[F.col(f"state.{it}") for it in CHART[1:]]
            ),
            "payload": exact_json.restored(F.col("element")),
        }
    )


def index_prices(answers: DataFrame) -> DataFrame:
    """Take answers and frames of index prices, one price each, with `object`: its values by name.

    `time` is the frame's own, or when the server answered; `asked` is the index that was asked for,
    `channel` the one that was listened to; `is_frame` tells the two apart.
    """
    parsed = _answers(answers).withColumns(
        {
            "answer": exact_json.fields(F.col("marked"), _INDEX_ANSWER),
            "asked": F.get_json_object("request", "$.params.index_name"),
        }
    )
    understood = F.col("answer.result").isNotNull() | F.col("answer.params.data").isNotNull()
    exploded = envelopes.explode(
        parsed,
        exchange=EXCHANGE,
        dataset="index_prices",
        elements=F.when(understood, F.array("marked")),
        fault=_fault(),
    )
    answer, data = "answer.result", "answer.params.data"
    channel = F.substring_index("answer.params.channel", ".", -1)
    return exploded.withColumns(
        {
            "object": F.struct(
                F.coalesce(f"{data}.price", f"{answer}.index_price").alias("price"),
                F.col(f"{answer}.estimated_delivery_price"),
                F.coalesce(f"{data}.timestamp", "answer.usOut").alias("time"),
                F.col(f"{data}.index_name"),
            ),
            "channel": channel,
            "is_frame": F.col(data).isNotNull(),
            "payload": exact_json.restored(F.col("element")),
        }
    )


def hours(answers: DataFrame, names: Iterable[str]) -> DataFrame:
    """Explode answers into hours of funding, with `object`: their values by name."""
    parsed = _answers(answers).withColumn(
        "answer", exact_json.fields(F.col("marked"), "result ARRAY<STRING>")
    )
    elements = F.col("answer.result")
    exploded = envelopes.explode(
        parsed, exchange=EXCHANGE, dataset="funding_rates", elements=elements, fault=_fault()
    )
    schema = ", ".join(f"{name} STRING" for name in names)
    return exploded.withColumns(
        {
            "object": exact_json.fields(F.col("element"), schema),
            "payload": exact_json.restored(F.col("element")),
        }
    )


def sent(name: str) -> Column:
    """Return a value as text, null where it is absent."""
    return exact_json.text(F.col(f"object.{name}"))


def number(name: str, called: str, kind: T.DecimalType, *, required: bool = True) -> Field:
    """Read a JSON number exactly into a decimal."""
    field = F.col(f"object.{name}")
    return columns.json_number(field, exact_json.number(field), called, kind, required=required)


def integer(name: str, called: str | None = None) -> Field:
    """Read a JSON number that is an integer."""
    return columns.integer(exact_json.text(F.col(f"object.{name}")), called or name)


def counts_in_quote() -> Column:
    """Return whether quantities are in the quote unit: inverse futures, and combos of them."""
    inverse = F.col("listing.direction") == "inverse"
    return F.coalesce(_of_futures() & inverse, F.lit(False))


def direction_unknown() -> Column:
    """Return whether the unit of a quantity can't be known: a future that was never listed."""
    return _of_futures() & F.col("listing.direction").isNull()


def rules(sent_time: str) -> list[Fault]:
    """Return the rules of every Deribit row; its times are in milliseconds."""
    return [
        Fault(~F.col("kind").isin(*KINDS), "kind_unknown"),
        Fault(F.col(sent_time) >= columns.FIRST_MICROSECONDS, "time_unit_unexpected"),
    ]


def _of_futures() -> Column:
    return F.col("kind").isin("future", "future_combo")


def _as_json(bar: Column) -> Column:
    return F.to_json(bar)


def _answers(answers: DataFrame) -> DataFrame:
    whole = F.trim("body", F.lit(" \t\r\n"))
    closed = whole.startswith("{") & whole.endswith("}")
    return answers.withColumn("marked", F.when(closed, exact_json.marked(F.col("body"))))


def _fault() -> Column:
    error = exact_json.fields(F.col("marked"), "error STRING")["error"]
    return F.when(error.isNotNull(), "answer_is_an_error").otherwise("answer_not_understood")
