"""`candlelake ddl`: the lake's tables for catalogs of others, told by the table registry."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from pyspark.sql import types as T  # noqa: N812

from jobs.context import open_lake
from jobs.options import KINDS, Env, Sets
from lake.errors import UsageError
from lake.objects import ObjectStore, is_s3
from lake.tables import GOLD_OHLCV, TABLES, Table
from serve.files.asked import Dataset
from serve.files.styles.candlelake import COLUMNS

#: The folders of `candlelake export --layout kind=…/instrument=…`.
FOLDERS = ("kind", "instrument")
#: What Glue says of a table whose reader follows the Delta log instead of a Hive format.
DELTA_PARAMETERS = {
    "EXTERNAL": "TRUE",
    "classification": "delta",
    "spark.sql.sources.provider": "delta",
    "table_type": "DELTA",
}
#: The lake in a template of CloudFormation's, told by its parameters.
ROOT_OF_TEMPLATE = "s3://${LakeBucket}/${LakePrefix}"
PARQUET_FORMATS = {
    "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    },
}


class Engine(StrEnum):
    """Whose catalog is told of the tables."""

    ATHENA = "athena"
    GLUE = "glue"
    DUCKDB = "duckdb"
    CLOUDFORMATION = "cloudformation"


def ddl(
    *,
    engine: Annotated[Engine, typer.Option(help="Whose catalog is told of the tables.")],
    location: Annotated[
        str | None, typer.Option(help="Where the lake is for the engine; else its own root.")
    ] = None,
    bars: Annotated[
        str | None,
        typer.Option(help="Where bars are that were exported as Parquet by kind=…/instrument=…."),
    ] = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Print what makes the lake's tables known to Athena, the Glue Data Catalog or DuckDB.

    cloudformation is a template of the same catalog; it names every table there is, of no lake.

    Example: candlelake ddl --engine athena --location s3://bucket/lake
    """
    if engine is Engine.CLOUDFORMATION:
        sys.stdout.write(json.dumps(cloudformation(list(TABLES.values())), indent=1) + "\n")
        return
    store = open_lake(env, sets or ()).store
    tables = [table for table in TABLES.values() if _exists(store, table)]
    if not tables:
        raise UsageError("this lake has no table", hint="Run ./spark-submit.sh pipeline first.")
    root = _address(location or store.location("x").removesuffix("/x"))
    exported = _address(bars) if bars else None
    if engine is not Engine.DUCKDB:
        for place in (root, *([exported] if exported else [])):
            _require_s3(place, engine)
    if engine is Engine.GLUE:
        inputs = glue_inputs(tables, root, exported)
        sys.stdout.write(json.dumps(inputs, indent=2, ensure_ascii=False) + "\n")
        return
    statements = athena if engine is Engine.ATHENA else duckdb
    sys.stdout.write("\n".join(f"{one};" for one in statements(tables, root, exported)) + "\n")


def athena(tables: Sequence[Table], root: str, exported: str | None) -> Iterator[str]:
    """Yield Athena's statements: it reads the columns from the Delta log itself."""
    for layer in _layers(tables):
        yield f"CREATE DATABASE IF NOT EXISTS {layer}"
    for table in tables:
        yield (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {table.name}\n"
            f"LOCATION '{root}/{table.path}/'\n"
            "TBLPROPERTIES ('table_type' = 'DELTA')"
        )
    if exported is None:
        return
    columns = ",\n".join(f"  `{field.name}` {_hive(field)}" for field in bar_columns())
    properties = ",\n".join(f"  '{key}' = '{value}'" for key, value in _projected(exported).items())
    yield (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS gold.bars (\n{columns}\n)\n"
        f"PARTITIONED BY ({', '.join(f'`{name}` string' for name in FOLDERS)})\n"
        f"STORED AS PARQUET\nLOCATION '{exported}/'\nTBLPROPERTIES (\n{properties}\n)"
    )
    for kind in _kinds():
        yield (
            f"CREATE OR REPLACE VIEW gold.bars_{kind} AS\n"
            f"SELECT * FROM gold.bars WHERE kind = '{kind}'"
        )


def duckdb(tables: Sequence[Table], root: str, exported: str | None) -> Iterator[str]:
    """Yield DuckDB's statements, for a session that has loaded its extension delta."""
    for layer in _layers(tables):
        yield f"CREATE SCHEMA IF NOT EXISTS {layer}"
    for table in tables:
        path = f"{root}/{table.path}".replace("'", "''")
        rows = f"SELECT * FROM delta_scan('{path}')"  # noqa: S608 - printed, not run
        yield f"CREATE OR REPLACE VIEW {table.name} AS {rows}"
    if exported is None:
        return
    files = f"{exported}/kind=*/instrument=*/*.parquet".replace("'", "''")
    yield (
        "CREATE OR REPLACE VIEW gold.bars AS\n"
        f"SELECT * FROM read_parquet('{files}', hive_partitioning = true,"
        " hive_types = {'kind': VARCHAR, 'instrument': VARCHAR})"
    )


def glue_inputs(tables: Sequence[Table], root: str, exported: str | None) -> list[dict[str, Any]]:
    """Return what Glue's CreateDatabase and CreateTable are called with, in order."""
    calls: list[dict[str, Any]] = [{"DatabaseInput": {"Name": one}} for one in _layers(tables)]
    for table in tables:
        layer, name = table.name.split(".")
        calls.append({"DatabaseName": layer, "TableInput": _glue_table(name, table, root)})
    if exported is not None:
        storage = {
            "Columns": [_glue_column(field) for field in bar_columns()],
            "Location": f"{exported}/",
            **PARQUET_FORMATS,
        }
        table_input = {
            "Name": "bars",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet", **_projected(exported)},
            "PartitionKeys": [{"Name": name, "Type": "string"} for name in FOLDERS],
            "StorageDescriptor": storage,
        }
        calls.append({"DatabaseName": "gold", "TableInput": table_input})
    return calls


def cloudformation(tables: Sequence[Table]) -> dict[str, Any]:
    """Return a template of Glue's databases and tables, for a lake that its parameters name."""
    account = {"Ref": "AWS::AccountId"}
    resources: dict[str, Any] = {}
    for call in glue_inputs(tables, ROOT_OF_TEMPLATE, None):
        if "DatabaseInput" in call:
            kind, layer = "Database", call["DatabaseInput"]["Name"]
            name, own = layer.title(), {"DatabaseInput": call["DatabaseInput"]}
        else:
            kind, layer = "Table", call["DatabaseName"]
            words = f"{layer}_{call['TableInput']['Name']}".split("_")
            name = "".join(word.title() for word in words)
            own = {"DatabaseName": {"Ref": layer.title()}, "TableInput": call["TableInput"]}
        properties = {"CatalogId": account, **_substituted(own)}
        resources[name] = {"Type": f"AWS::Glue::{kind}", "Properties": properties}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Candlelake's tables in the Glue Data Catalog",
        "Parameters": {"LakeBucket": {"Type": "String"}, "LakePrefix": {"Type": "String"}},
        "Resources": resources,
    }


def _substituted(value: Any) -> Any:
    """Return a value of a template in which the lake's root stands for the parameters."""
    if isinstance(value, dict):
        return {key: _substituted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(inner) for inner in value]
    if isinstance(value, str) and ROOT_OF_TEMPLATE in value:
        return {"Fn::Sub": value}
    return value


def bar_columns() -> list[T.StructField]:
    """Return the columns of bars that were exported by kind and instrument."""
    return [GOLD_OHLCV.schema[name] for name in COLUMNS[Dataset.BARS] if name not in FOLDERS]


def _glue_table(name: str, table: Table, root: str) -> dict[str, Any]:
    location = f"{root}/{table.path}"
    fields = {field.name: field for field in table.schema}
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": DELTA_PARAMETERS,
        "PartitionKeys": [_glue_column(fields.pop(column)) for column in table.partitions],
        "StorageDescriptor": {
            "Columns": [_glue_column(field) for field in fields.values()],
            "Location": f"{location}/",
            "InputFormat": "org.apache.hadoop.mapred.SequenceFileInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveSequenceFileOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                "Parameters": {"path": location, "serialization.format": "1"},
            },
        },
    }


def _glue_column(field: T.StructField) -> dict[str, str]:
    return {"Name": field.name, "Type": _hive(field)}


def _hive(field: T.StructField) -> str:
    """Return a column's type as Hive, Glue and Athena write it."""
    return field.dataType.simpleString()


def _projected(exported: str) -> dict[str, str]:
    """Return what spares Athena a list of partitions: folders follow from the query's own words."""
    return {
        "projection.enabled": "true",
        "projection.kind.type": "enum",
        "projection.kind.values": ",".join(_kinds()),
        "projection.instrument.type": "injected",
        "storage.location.template": f"{exported}/kind=${{kind}}/instrument=${{instrument}}",
    }


def _kinds() -> list[str]:
    """Return the kinds that have bars, each once."""
    return sorted({kind for kinds in KINDS.values() for kind in kinds if kind != "index"})


def _layers(tables: Sequence[Table]) -> list[str]:
    return sorted({table.name.partition(".")[0] for table in tables})


def _exists(store: ObjectStore, table: Table) -> bool:
    return next(iter(store.names(f"{table.path}/_delta_log/")), None) is not None


def _address(place: str) -> str:
    return place.replace("s3a://", "s3://", 1).rstrip("/")


def _require_s3(place: str, engine: Engine) -> None:
    if not is_s3(place) or "'" in place:
        raise UsageError(
            f"{engine} reads S3, was '{place}'",
            hint="Name where the lake is there: --location s3://bucket/path.",
        )
