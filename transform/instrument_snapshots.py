"""Snapshots of what an exchange lists: bronze answers to one row an instrument as observed."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import exact_json

PARSER_VERSION = 1
#: From here on an expiry is a perpetual's placeholder: Binance names 2100, Deribit 3000.
FIRST_PLACEHOLDER_MS = 4_102_444_800_000
_BINANCE_ANSWER = "serverTime STRING, symbols ARRAY<STRING>"
_BINANCE_SYMBOL = (
    "symbol STRING, status STRING, contractStatus STRING, baseAsset STRING, quoteAsset STRING, "
    "marginAsset STRING, contractSize STRING, deliveryDate STRING, onboardDate STRING, "
    "filters ARRAY<STRUCT<filterType STRING, tickSize STRING, stepSize STRING>>"
)
_DERIBIT_ANSWER = "usOut STRING, result ARRAY<STRING>"
_DERIBIT_INSTRUMENT = (
    "instrument_name STRING, instrument_id STRING, state STRING, is_active STRING, "
    "instrument_type STRING, future_type STRING, base_currency STRING, quote_currency STRING, "
    "settlement_currency STRING, contract_size STRING, tick_size STRING, "
    "min_trade_amount STRING, strike STRING, option_type STRING, "
    "expiration_timestamp STRING, creation_timestamp STRING, "
    "legs ARRAY<STRUCT<instrument_name STRING>>"
)
_LINEAGE = (
    *("exchange", "kind", "region", "bronze_file", "bronze_line"),
    *("end_download_timestamp", "knowledge_timestamp"),
)


def observed(envelopes: DataFrame) -> DataFrame:
    """Return every instrument of every snapshot, as it was then.

    Args:
        envelopes: as `transform.envelopes.read` returns them, of the dataset instruments.

    Returns:
        The columns of `schemas.INSTRUMENTS` (valid_to, delisted_at null), `snapshot_at`
        TIMESTAMP, the exchange's own clock of the answer, and `snapshot_file`.
    """
    sound = envelopes.where(F.size("faults") == 0)
    binance = _binance(sound.where(F.col("exchange") == "binance"))
    deribit = _deribit(sound.where(F.col("exchange") == "deribit"))
    rows = binance.unionByName(deribit).where(F.coalesce("instrument", F.lit("")) != "")
    names = [field.name for field in schemas.INSTRUMENTS]
    return rows.select(
        *[F.col(name).cast(schemas.INSTRUMENTS[name].dataType).alias(name) for name in names],
        "snapshot_at",
        F.col("bronze_file").alias("snapshot_file"),
    )


def _binance(envelopes: DataFrame) -> DataFrame:
    rows = _exploded(envelopes, _BINANCE_ANSWER, "symbols", _BINANCE_SYMBOL)
    it = F.col("it")
    coinm = F.col("kind") == "coinm"
    size = F.when(coinm, _number(it["contractSize"])).otherwise(F.lit(1))
    answered = _millis(F.col("answer.serverTime"))
    return _completed(
        rows,
        answered,
        {
            "instrument": it["symbol"],
            "instrument_uid": it["symbol"],
            "status": F.coalesce(it["status"], it["contractStatus"], F.lit("unknown")),
            "direction": F.when(coinm, "inverse").otherwise("linear"),
            "base_unit": it["baseAsset"],
            "quote_unit": it["quoteAsset"],
            "settlement_unit": it["marginAsset"],
            "quantity_unit": F.when(coinm, "contract").otherwise(it["baseAsset"]),
            "contract_size": size,
            "tick_size": _filter(it["filters"], "PRICE_FILTER", "tickSize"),
            "lot_size": _filter(it["filters"], "LOT_SIZE", "stepSize"),
            "strike": F.lit(None),
            "option_type": F.lit(None),
            "expiry": _expiry(it["deliveryDate"]),
            "listed_at": _millis(it["onboardDate"]),
            "legs": F.lit(None),
        },
    )


def _deribit(envelopes: DataFrame) -> DataFrame:
    rows = _exploded(envelopes, _DERIBIT_ANSWER, "result", _DERIBIT_INSTRUMENT)
    it = F.col("it")
    inverse = F.coalesce(it["instrument_type"], it["future_type"]) == "reversed"
    # amounts of inverse futures are in USD, those of all other kinds in the base coin
    in_quote = inverse & F.col("kind").isin("future", "future_combo")
    micros = exact_json.text(F.col("answer.usOut")).try_cast("bigint")
    active = F.when(exact_json.text(it["is_active"]) == "false", "inactive").otherwise("open")
    return _completed(
        rows,
        F.timestamp_micros(micros),
        {
            "instrument": it["instrument_name"],
            "instrument_uid": F.coalesce(
                exact_json.text(it["instrument_id"]), it["instrument_name"]
            ),
            "status": F.coalesce(it["state"], active),
            "direction": F.when(inverse, "inverse").otherwise("linear"),
            "base_unit": it["base_currency"],
            "quote_unit": it["quote_currency"],
            "settlement_unit": it["settlement_currency"],
            "quantity_unit": F.when(in_quote, it["quote_currency"]).otherwise(it["base_currency"]),
            "contract_size": _number(it["contract_size"]),
            "tick_size": _number(it["tick_size"]),
            "lot_size": _number(it["min_trade_amount"]),
            "strike": _number(it["strike"]),
            "option_type": it["option_type"],
            "expiry": _expiry(it["expiration_timestamp"]),
            "listed_at": _millis(it["creation_timestamp"]),
            "legs": F.transform(it["legs"], lambda leg: leg["instrument_name"]),
        },
    )


def _exploded(envelopes: DataFrame, answer: str, elements: str, element: str) -> DataFrame:
    parsed = envelopes.withColumn(
        "answer", exact_json.fields(exact_json.marked(F.col("body")), answer)
    )
    rows = parsed.select(*_LINEAGE, "mode", "answer", F.explode(f"answer.{elements}").alias("text"))
    return rows.withColumn("it", exact_json.fields(F.col("text"), element))


def _completed(rows: DataFrame, answered: Column, fields: dict[str, Column]) -> DataFrame:
    snapshot = F.coalesce(answered, F.col("end_download_timestamp"))
    listed = fields["listed_at"]
    return rows.select(
        *_LINEAGE,
        *[value.alias(name) for name, value in fields.items()],
        F.coalesce(listed, snapshot).alias("valid_from"),
        F.lit(None).alias("valid_to"),
        listed.isNull().alias("valid_from_observed"),
        F.lit(None).alias("delisted_at"),
        exact_json.restored(F.col("text")).alias("attributes"),
        F.col("mode").alias("source"),
        F.lit(PARSER_VERSION).alias("parser_version"),
        snapshot.alias("snapshot_at"),
    )


def _number(field: Column) -> Column:
    return exact_json.text(field).try_cast(schemas.PRICE)


def _millis(field: Column) -> Column:
    return F.timestamp_millis(exact_json.text(field).try_cast("bigint"))


def _expiry(field: Column) -> Column:
    millis = exact_json.text(field).try_cast("bigint")
    return F.when(millis < FIRST_PLACEHOLDER_MS, F.timestamp_millis(millis))


def _filter(filters: Column, kind: str, name: str) -> Column:
    wanted = F.filter(filters, lambda entry: entry["filterType"] == kind)
    return _number(F.get(wanted, F.lit(0))[name])
