"""Bars of any exchange that CCXT can ask: bronze envelopes to candidates of `silver.klines`."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import columns, envelopes, intervals, listings, rows
from transform.columns import Fault, Field

PARSER_VERSION = 1
_TICK = 1000
#: What a reader gives of a bar: open time in ms, open, high, low, close, volume.
_CELLS = 6

#: Takes an envelope's request and body; gives each bar as a JSON array of texts, None where the
#: answer can't be read. Workers run it, so it has to be importable there.
Read = Callable[[str | None, str | None], list[str] | None]


def klines(answers: DataFrame, instruments: DataFrame, *, exchange: str, read: Read) -> DataFrame:
    """Read the bars of an exchange into candidates of `silver.klines`.

    The shape of its answers is CCXT's business, so `read` is handed in. A bar's time is its start,
    in ms; no more than six numbers are known of it, the rest is null. Bars that had not ended
    when the answer came are left out, as are those that the file's name does not claim: answers
    begin where they were asked to, and end where they like.

    Args:
        answers: as `transform.envelopes.read` returns them.
        instruments: rows of `silver.instruments`.
        exchange: our name of it.
        read: what makes bars of an answer.
    """
    timeframe = F.get_json_object("request", "$.ccxt.timeframe")
    # a name that we do not have becomes null, and that a fault
    known_interval = F.when(intervals.length(timeframe).isNotNull(), timeframe)
    exploded = envelopes.explode(
        answers.withColumn("bar_interval", known_interval),
        exchange=exchange,
        dataset="klines",
        elements=F.udf(read, "array<string>", useArrow=False)("request", "body"),
        fault=F.lit("answer_not_understood"),
    )
    celled = exploded.withColumn("cells", F.from_json("element", "array<string>"))
    fields = _fields()
    faults = [
        Fault(F.coalesce(F.size("cells") != _CELLS, F.lit(True)), "columns_unexpected"),
        *columns.all_faults(fields.values()),
    ]
    timed = _timed(celled, fields).withColumn("text_is_sound", F.size(columns.reasons(faults)) == 0)
    known = listings.attach(timed.where(_wanted()), instruments, at="open_time")
    length = F.coalesce(intervals.length(F.col("bar_interval")), F.lit(_TICK))
    described = known.withColumns(
        {
            "instrument_uid": listings.uid(),
            "findings": rows.kline_findings(length, F.lit(0), tick=F.lit(_TICK)),
            **columns.day("open_time"),
        }
    )
    return rows.candidates(described, text=faults, rules=rows.kline_rules(), schema=schemas.KLINES)


def _fields() -> dict[str, Field]:
    prices = ("open", "high", "low", "close")
    unsent = (
        *("close_time_sent", "quote_volume_sent", "trade_count", "taker_buy_volume_sent"),
        *("taker_buy_quote_volume_sent", "ignored_sent"),
    )
    return {
        "open_time_sent": columns.integer(_cell(0), "open_time"),
        **{
            name: columns.decimal(_cell(place), name, schemas.PRICE)
            for place, name in enumerate(prices, start=1)
        },
        "volume_sent": columns.decimal(_cell(5), "volume_sent", schemas.AMOUNT),
        **{name: Field(F.lit(None), ()) for name in unsent},
    }


def _cell(place: int) -> Column:
    return F.get("cells", F.lit(place))


def _timed(celled: DataFrame, fields: dict[str, Field]) -> DataFrame:
    start = fields["open_time_sent"].value * 1000
    length = F.coalesce(intervals.length(F.col("bar_interval")), F.lit(_TICK))
    return celled.withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            "open_time": F.timestamp_micros(start),
            "close_time": F.timestamp_micros(start + length - _TICK),
            "payload": F.col("element"),
            "is_closed": F.lit(True),
            "revision": F.lit(0),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )


def _wanted() -> Column:
    first, last = envelopes.CLAIM
    opened = F.col("open_time_sent")
    beyond = F.coalesce((opened < F.col(first)) | (opened > F.col(last)), F.lit(False))
    ended = F.unix_micros("close_time") + _TICK
    forming = rows.forming(ended, F.unix_micros("end_download_timestamp"))
    return ~((beyond | forming) & F.col("text_is_sound"))
