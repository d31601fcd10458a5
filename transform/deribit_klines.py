"""Deribit's own bars: chart answers, or frames, to candidates of `silver.klines`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import columns, deribit_answers, intervals, listings, rows
from transform.columns import Field

PARSER_VERSION = 1
_TICK = 1000


def klines(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read chart bars into candidates of `silver.klines`.

    A tick is the start of its bar. Bars that had not ended by the server's own clock (`usOut`)
    are left out: only final content opens a revision, and bronze keeps them. Deribit sends no
    close time: `close_time` is the last millisecond of the interval.

    Args:
        envelopes: as `transform.envelopes.read` returns them; `request` names the resolution.
        instruments: rows of `silver.instruments`.
    """
    return _candidates(deribit_answers.bars(_named(envelopes)), instruments, forming=_forming())


def streamed(envelopes: DataFrame, instruments: DataFrame) -> DataFrame:
    """Read frames of the chart's channel into candidates of `silver.klines`, to be compared.

    No frame says that its bar is over. The last one of a bar is taken for the bar where a frame of
    a later bar has come: of an instrument's newest bar nobody knows, and it is left out.
    """
    states = _last_of_each(deribit_answers.chart_frames(_named(envelopes)))
    return _candidates(states, instruments, forming=F.lit(False))


def _named(envelopes: DataFrame) -> DataFrame:
    asked = F.get_json_object("request", "$.params.resolution")
    return envelopes.withColumn("bar_interval", intervals.named(intervals.DERIBIT, asked))


def _last_of_each(states: DataFrame) -> DataFrame:
    """Keep of each bar but the newest the frame that came last, and whatever is no bar."""
    series = ("exchange", "kind", "instrument", "bar_interval")
    last_first = [F.desc(name) for name in ("end_download_timestamp", "bronze_file", "bronze_line")]
    ranked = states.withColumn("tick", deribit_answers.integer("ticks").value).withColumns(
        {
            "newest": F.max("tick").over(Window.partitionBy(*series)),
            "place": F.row_number().over(Window.partitionBy(*series, "tick").orderBy(*last_first)),
        }
    )
    is_last = (F.col("place") == 1) & (F.col("tick") < F.col("newest"))
    return ranked.where(F.col("tick").isNull() | is_last)


def _candidates(exploded: DataFrame, instruments: DataFrame, *, forming: Column) -> DataFrame:
    fields = _fields()
    faults = columns.all_faults(fields.values())
    start = columns.micros(fields["open_time_sent"].value)
    length = F.coalesce(intervals.length(F.col("bar_interval")), F.lit(_TICK))
    typed = exploded.withColumns(
        {
            **{name: field.value for name, field in fields.items()},
            "open_time": F.timestamp_micros(start),
            "close_time": F.timestamp_micros(start + length - _TICK),
            "text_is_sound": F.size(columns.reasons(faults)) == 0,
            "is_closed": F.lit(True),
            "revision": F.lit(0),
            "source": F.col("mode"),
            "parser_version": F.lit(PARSER_VERSION),
        }
    )
    known = listings.attach(typed.where(~forming), instruments, at="open_time")
    described = known.withColumns(
        {
            "instrument_uid": listings.uid(),
            "findings": rows.kline_findings(length, F.lit(0), tick=F.lit(_TICK)),
            **columns.day("open_time"),
        }
    )
    rules = [*rows.kline_rules(), *deribit_answers.rules("open_time_sent")]
    return rows.candidates(described, text=faults, rules=rules, schema=schemas.KLINES)


def _fields() -> dict[str, Field]:
    prices = ("open", "high", "low", "close")
    number = deribit_answers.number
    unsent = ("close_time_sent", "trade_count", "taker_buy_volume_sent")
    also_unsent = ("taker_buy_quote_volume_sent", "ignored_sent")
    return {
        "open_time_sent": deribit_answers.integer("ticks", "open_time"),
        **{name: number(name, name, schemas.PRICE) for name in prices},
        "volume_sent": number("volume", "volume_sent", schemas.AMOUNT),
        "quote_volume_sent": number("cost", "quote_volume_sent", schemas.AMOUNT),
        **{name: Field(F.lit(None), ()) for name in (*unsent, *also_unsent)},
    }


def _forming() -> Column:
    answered = F.coalesce("answered_at", F.unix_micros("end_download_timestamp"))
    return rows.forming(F.unix_micros("close_time") + _TICK, answered) & F.col("text_is_sound")
