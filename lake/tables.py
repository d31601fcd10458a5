"""The table registry: every table's path, key, partitions and properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyspark.sql import types as T  # noqa: N812

from lake import (
    schemas,
    schemas_of_certificates,
    schemas_of_incidents,
    schemas_of_indexes,
    schemas_of_information_bars,
    schemas_of_perpetuals,
)

COMMON = {
    "delta.deletedFileRetentionDuration": "interval 14 days",
    "delta.logRetentionDuration": "interval 60 days",
    "delta.checkpointInterval": "20",
}
FEED = {"delta.enableChangeDataFeed": "true"}
APPEND_ONLY = {"delta.appendOnly": "true"}


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table.

    Attributes:
        name: `layer.table`; the path below the lake's root is `layer/table`.
        key: what makes a row unique, the writer's duty.
        partitions: the partition columns, in order.
        statistics: the columns that Delta keeps minimum and maximum of, for skipping files.
        checks: last-line constraints, name -> SQL.
        on_demand: made only when the first of its rows comes.
    """

    name: str
    schema: T.StructType
    key: tuple[str, ...]
    partitions: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    on_demand: bool = False

    @property
    def path(self) -> str:
        """The table's path below the lake's root."""
        return self.name.replace(".", "/")


IDENTITY_KEY = ("exchange", "kind", "instrument_uid")
BY_DAY_AND_INSTRUMENT = ("year", "month", "day", "instrument")

SILVER_TRADES = Table(
    "silver.trades",
    schemas.TRADES,
    key=(*IDENTITY_KEY, "trade_seq"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "trade_seq", "trade_timestamp"),
    properties={**COMMON, **FEED},
)
SILVER_AGG_TRADES = Table(
    "silver.agg_trades",
    schemas.AGG_TRADES,
    key=(*IDENTITY_KEY, "agg_id"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "agg_id", "trade_timestamp"),
    properties={**COMMON, **FEED},
)
SILVER_KLINES = Table(
    "silver.klines",
    schemas.KLINES,
    key=(*IDENTITY_KEY, "bar_interval", "open_time", "source", "revision"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "bar_interval", "open_time"),
    properties={**COMMON, **FEED},
)
SILVER_FUNDING_RATES = Table(
    "silver.funding_rates",
    schemas_of_perpetuals.FUNDING_RATES,
    key=(*IDENTITY_KEY, "funding_timestamp", "source", "revision"),
    # a settlement is a row of hours: a partition a day would be a file of three rows
    partitions=("year", "month"),
    statistics=("exchange", "kind", "instrument", "funding_timestamp"),
    properties={**COMMON, **FEED},
    on_demand=True,
)
SILVER_MARK_KLINES = Table(
    "silver.mark_klines",
    schemas_of_perpetuals.MARK_KLINES,
    key=(*IDENTITY_KEY, "bar_interval", "open_time", "source", "revision"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "bar_interval", "open_time"),
    properties={**COMMON, **FEED},
    on_demand=True,
)
SILVER_INDEX_PRICES = Table(
    "silver.index_prices",
    schemas_of_indexes.INDEX_PRICES,
    key=(*IDENTITY_KEY, "minute", "source", "price_source"),
    partitions=BY_DAY_AND_INSTRUMENT,
    statistics=("exchange", "kind", "minute", "price_source"),
    properties={**COMMON, **FEED},
    on_demand=True,
)
SILVER_INSTRUMENTS = Table(
    "silver.instruments",
    schemas.INSTRUMENTS,
    key=(*IDENTITY_KEY, "valid_from"),
    partitions=("exchange", "kind"),
    properties=COMMON,
)
GOLD_SOURCE_BARS = Table(
    "gold.source_bars",
    schemas.SOURCE_BARS,
    key=(*IDENTITY_KEY, "built_from", "bar_start"),
    partitions=("year", "month"),
    statistics=("exchange", "kind", "instrument", "bar_start"),
    properties=COMMON,
)
GOLD_OHLCV = Table(
    "gold.ohlcv",
    schemas.OHLCV,
    key=(*IDENTITY_KEY, "bar_interval", "bar_start"),
    partitions=("bar_interval", "year", "month"),
    statistics=("exchange", "kind", "instrument", "bar_start"),
    properties=COMMON,
)
GOLD_OHLCV_REVISIONS = Table(
    "gold.ohlcv_revisions",
    schemas.OHLCV_REVISIONS,
    key=(*IDENTITY_KEY, "bar_interval", "bar_start", "revision"),
    partitions=("bar_interval", "year", "month"),
    statistics=("exchange", "kind", "instrument", "bar_start"),
    properties={**COMMON, **FEED, **APPEND_ONLY},
)
GOLD_FUNDING_RATES = Table(
    "gold.funding_rates",
    schemas_of_perpetuals.SETTLEMENTS,
    key=(*IDENTITY_KEY, "settlement_timestamp"),
    partitions=("year", "month"),
    statistics=("exchange", "kind", "instrument", "settlement_timestamp"),
    properties=COMMON,
    on_demand=True,
)
GOLD_MARK_OHLCV = Table(
    "gold.mark_ohlcv",
    schemas_of_perpetuals.MARK_OHLCV,
    key=(*IDENTITY_KEY, "bar_interval", "bar_start"),
    partitions=("bar_interval", "year", "month"),
    statistics=("exchange", "kind", "instrument", "bar_start"),
    properties=COMMON,
    on_demand=True,
)
GOLD_INFORMATION_BARS = Table(
    "gold.information_bars",
    schemas_of_information_bars.INFORMATION_BARS,
    key=(*IDENTITY_KEY, "bar_type", "threshold", "bar_date", "bar_number"),
    partitions=("bar_type", "year", "month"),
    statistics=("exchange", "kind", "instrument", "bar_start"),
    properties=COMMON,
    on_demand=True,
)
OPS_QUARANTINE = Table(
    "ops.quarantine",
    schemas.QUARANTINE,
    key=("bronze_file", "bronze_line", "row_position", "parser_version"),
    partitions=("dataset",),
    properties=COMMON,
)
OPS_CONTINUITY = Table(
    "ops.continuity",
    schemas.CONTINUITY,
    key=(*IDENTITY_KEY, "dataset", "entry", "first_id", "proved_from"),
    partitions=("dataset",),
    properties=COMMON,
)
OPS_SIGHTINGS = Table(
    "ops.sightings",
    schemas.SIGHTINGS,
    key=(*IDENTITY_KEY, "dataset", "first_id", "bronze_file"),
    partitions=("dataset",),
    properties={**COMMON, **APPEND_ONLY},
)
OPS_CONFLICTS = Table(
    "ops.conflicts",
    schemas.CONFLICTS,
    key=(*IDENTITY_KEY, "dataset", "id", "seen_bronze_file", "seen_bronze_line"),
    partitions=("dataset",),
    properties=COMMON,
)
OPS_REPLACED_TRADES = Table(
    "ops.replaced_trades",
    schemas.REPLACED_TRADES,
    key=(*SILVER_TRADES.key, "replaced_at"),
    properties={**COMMON, **APPEND_ONLY},
    on_demand=True,
)
OPS_REPLACED_AGG_TRADES = Table(
    "ops.replaced_agg_trades",
    schemas.REPLACED_AGG_TRADES,
    key=(*SILVER_AGG_TRADES.key, "replaced_at"),
    properties={**COMMON, **APPEND_ONLY},
    on_demand=True,
)
OPS_GATE_RESULTS = Table(
    "ops.gate_results", schemas.GATE_RESULTS, key=(), properties={**COMMON, **APPEND_ONLY}
)
OPS_RECONCILIATION = Table(
    "ops.reconciliation",
    schemas_of_certificates.RECONCILIATION,
    key=(),
    properties={**COMMON, **APPEND_ONLY},
)
OPS_RECONCILIATION_DIFFERENCES = Table(
    "ops.reconciliation_differences",
    schemas_of_certificates.RECONCILIATION_DIFFERENCES,
    key=(),
    partitions=("check_name",),
    properties={**COMMON, **APPEND_ONLY},
)
OPS_RUNS = Table("ops.runs", schemas.RUNS, key=(), properties={**COMMON, **APPEND_ONLY})
OPS_WATERMARKS = Table(
    "ops.watermarks",
    schemas.WATERMARKS,
    key=("exchange", "kind", "instrument", "table_name"),
    properties=COMMON,
)
OPS_INCIDENTS = Table(
    "ops.incidents",
    schemas_of_incidents.INCIDENTS,
    key=("incident_id", "revision"),
    properties={**COMMON, **APPEND_ONLY},
    on_demand=True,
)

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        SILVER_TRADES,
        SILVER_AGG_TRADES,
        SILVER_KLINES,
        SILVER_FUNDING_RATES,
        SILVER_MARK_KLINES,
        SILVER_INDEX_PRICES,
        SILVER_INSTRUMENTS,
        GOLD_SOURCE_BARS,
        GOLD_OHLCV,
        GOLD_OHLCV_REVISIONS,
        GOLD_FUNDING_RATES,
        GOLD_MARK_OHLCV,
        GOLD_INFORMATION_BARS,
        OPS_QUARANTINE,
        OPS_CONTINUITY,
        OPS_SIGHTINGS,
        OPS_CONFLICTS,
        OPS_REPLACED_TRADES,
        OPS_REPLACED_AGG_TRADES,
        OPS_GATE_RESULTS,
        OPS_RECONCILIATION,
        OPS_RECONCILIATION_DIFFERENCES,
        OPS_RUNS,
        OPS_WATERMARKS,
        OPS_INCIDENTS,
    )
}
#: Where the rows of a silver table go that a decided correction replaces.
REPLACED: Mapping[str, Table] = {
    SILVER_TRADES.name: OPS_REPLACED_TRADES,
    SILVER_AGG_TRADES.name: OPS_REPLACED_AGG_TRADES,
}
#: What every lake has from its first run on.
STANDING = tuple(table for table in TABLES.values() if not table.on_demand)
