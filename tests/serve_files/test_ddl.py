"""What `candlelake ddl` prints is taken by the engines that can run here, and told whole."""

from __future__ import annotations

import json
from pathlib import Path

import boto3
import duckdb
import duckdb_extension_delta  # type: ignore[import-untyped]
import pytest
from pyspark.sql.pandas.types import to_arrow_schema

from lake.tables import GOLD_OHLCV, TABLES
from tests.front_door.commands import candlelake, the_error
from tests.queues.sqs_server import server
from tests.serve_files.small_lake import small_lake

HELD = ("silver.trades", "silver.instruments", "gold.ohlcv", "gold.ohlcv_revisions")
ON_S3 = ("--location", "s3a://bucket/lake/", "--bars", "s3://bucket/bars")
BARS_IN_ATHENA = """\
CREATE EXTERNAL TABLE IF NOT EXISTS gold.bars (
  `bar_start` timestamp,
  `open` decimal(20,10),
  `high` decimal(20,10),
  `low` decimal(20,10),
  `close` decimal(20,10),
  `volume` decimal(38,18),
  `bar_end` timestamp,
  `base_volume` decimal(38,18),
  `quote_volume` decimal(38,18),
  `trade_count` bigint,
  `taker_buy_volume` decimal(38,18),
  `taker_buy_base_volume` decimal(38,18),
  `taker_buy_quote_volume` decimal(38,18),
  `is_complete` boolean,
  `exchange` string,
  `instrument_uid` string,
  `bar_interval` string
)
PARTITIONED BY (`kind` string, `instrument` string)
STORED AS PARQUET
LOCATION 's3://bucket/bars/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.kind.type' = 'enum',
  'projection.kind.values' = 'coinm,future,future_combo,option,option_combo,spot,usdm',
  'projection.instrument.type' = 'injected',
  'storage.location.template' = 's3://bucket/bars/kind=${kind}/instrument=${instrument}'
);
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "lake"
    small_lake(folder)
    return folder


def printed(lake: Path, engine: str, *words: str) -> str:
    done = candlelake("ddl", "--engine", engine, *words, "--set", f"lake.root={lake}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_athena_is_told_of_each_table_and_of_bars_by_kind(lake: Path) -> None:
    told = printed(lake, "athena", *ON_S3)

    for name in HELD:
        assert (
            f"CREATE EXTERNAL TABLE IF NOT EXISTS {name}\n"
            f"LOCATION 's3://bucket/lake/{name.replace('.', '/')}/'\n"
            "TBLPROPERTIES ('table_type' = 'DELTA');\n"
        ) in told
    assert told.count("'table_type' = 'DELTA'") == len(HELD)
    assert told.startswith("CREATE DATABASE IF NOT EXISTS gold;\n")
    assert BARS_IN_ATHENA in told
    assert (
        "CREATE OR REPLACE VIEW gold.bars_usdm AS\nSELECT * FROM gold.bars WHERE kind = 'usdm';"
    ) in told


def test_duckdb_runs_what_is_printed_for_it(lake: Path, tmp_path: Path) -> None:
    bars = tmp_path / "it's"
    words = ("--layout", "kind=…/instrument=…", "--format", "parquet", "--out", str(bars))
    assert candlelake("export", *words, "--set", f"lake.root={lake}").returncode == 0

    database = duckdb.connect()
    (extension,) = Path(duckdb_extension_delta.__file__).parent.rglob("delta.duckdb_extension")
    database.load_extension(str(extension))
    database.execute(printed(lake, "duckdb", "--bars", str(bars)))

    for name in HELD:
        columns = database.sql(f"FROM {name} LIMIT 0").columns
        assert columns == to_arrow_schema(TABLES[name].schema).names
    count = "SELECT count(*), min(close) FROM {} WHERE instrument = 'ETH/BTC~.'"
    held = database.sql(count.format(GOLD_OHLCV.name)).fetchone()
    assert held is not None
    assert held[0] == 2
    assert database.sql(count.format("gold.bars")).fetchone() == held


@pytest.mark.slow
def test_glue_takes_each_table(lake: Path, tmp_path: Path) -> None:
    calls = json.loads(printed(lake, "glue", *ON_S3))
    with server("ministack.sh", tmp_path) as address:
        glue = boto3.Session().client(
            "glue",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        for call in calls:
            make = glue.create_database if "DatabaseInput" in call else glue.create_table
            make(**call)
        ohlcv = glue.get_table(DatabaseName="gold", Name="ohlcv")["Table"]
        bars = glue.get_table(DatabaseName="gold", Name="bars")["Table"]
        made = {
            f"{layer}.{table['Name']}"
            for layer in ("silver", "gold")
            for table in glue.get_tables(DatabaseName=layer)["TableList"]
        }

    assert made == {*HELD, "gold.bars"}
    columns = ohlcv["StorageDescriptor"]["Columns"] + ohlcv["PartitionKeys"]
    assert {column["Name"]: column["Type"] for column in columns} == {
        field.name: field.dataType.simpleString() for field in GOLD_OHLCV.schema
    }
    assert [column["Name"] for column in ohlcv["PartitionKeys"]] == list(GOLD_OHLCV.partitions)
    assert ohlcv["StorageDescriptor"]["Location"] == "s3://bucket/lake/gold/ohlcv/"
    assert [column["Name"] for column in bars["PartitionKeys"]] == ["kind", "instrument"]


@pytest.mark.parametrize("engine", ["athena", "glue"])
def test_amazons_engines_read_s3_alone(lake: Path, engine: str) -> None:
    done = candlelake("ddl", "--engine", engine, "--set", f"lake.root={lake}")

    assert f"{engine} reads S3" in the_error(done)


def test_a_lake_without_tables_says_what_to_run(tmp_path: Path) -> None:
    done = candlelake("ddl", "--engine", "duckdb", "--set", f"lake.root={tmp_path / 'new'}")

    assert "this lake has no table" in the_error(done)
