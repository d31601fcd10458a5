"""Maintenance: fewer files and the same rows, beside whoever writes, and nothing gone too early."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame

from jobs import gold, silver
from jobs.context import Context, Lake
from jobs.continuous import keep_fresh
from jobs.maintenance.parts import Window
from jobs.maintenance.working import Outcome, Run, maintain
from jobs.publishing.bars import marks_of
from lake.errors import SettingsError
from lake.lease import Lease
from lake.lease import held as holding
from lake.settings import load_settings
from lake.storage import Tables
from lake.table_log import commit_of, files_of
from lake.tables import (
    GOLD_OHLCV,
    GOLD_OHLCV_REVISIONS,
    OPS_GATE_RESULTS,
    SILVER_AGG_TRADES,
    TABLES,
    Table,
)
from serve.database.address import address_of
from tests.jobs.conftest import OpenLake, context_of
from tests.jobs.landed import MIDNIGHT, aggregate, land
from tests.serve_database import published

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

ALL_DAYS = Window(None, None)
DAY = timedelta(days=1)
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
ROWS, BATCHES = 60, 3
#: Of each sort one: by day, by month, with a feed, without partitions.
LOOKED_AT = (SILVER_AGG_TRADES, GOLD_OHLCV, GOLD_OHLCV_REVISIONS, OPS_GATE_RESULTS)


def bring(context: Context, batch: int, instrument: str = "BTCUSDT", day: int = 0) -> None:
    """Land an answer of aggregates, a second apart, and bring it to gold."""
    first = 1 + batch * ROWS
    begin = MIDNIGHT + day * 86_400_000
    ids = range(first, first + ROWS)
    rows = [aggregate(number, T=str(begin + number * 1000)) for number in ids]
    times = (begin + ids[0] * 1000, begin + ids[-1] * 1000 + 1)
    land(context, instrument, [f"[{','.join(rows)}]"], ids=(ids[0], ids[-1]), times=times)
    silver.consume(context, "agg_trades")
    gold.follow(context)


def run_of(context: Context, *, window: Window = ALL_DAYS, is_dry: bool = False) -> Run:
    lake = Lake(context.settings, context.store, context.clock, "maintenance")
    return Run(lake, context.spark, window, is_dry)


def maintained(
    context: Context, tables: Iterable[Table] = LOOKED_AT, **how: Any
) -> dict[str, Outcome]:
    run = run_of(context, **how)
    found = [maintain(run, table) for table in tables]
    return {one.table: one for one in found if one is not None}


def differences(one: DataFrame, other: DataFrame) -> list[Any]:
    columns = one.columns
    return one.exceptAll(other.select(*columns)).union(other.exceptAll(one)).collect()


def marked(context: Context) -> int:
    """Return until when candles are complete (ms): so far they are published."""
    return max(marks_of(context).values())


def versions(context: Context) -> dict[str, int]:
    return {table.name: context.tables.version(table) for table in LOOKED_AT}


def aged(context: Context, days: int, folder: Path) -> Context:
    """Return a copy of the lake as if all of it had been written so many days before."""
    copy = folder / f"aged-{days}-{time.monotonic_ns()}"
    shutil.copytree(context.settings.lake.root, copy)
    back = days * 86_400_000
    for path in [one for one in copy.rglob("*") if one.is_file()]:
        if path.match("_delta_log/*.json"):
            lines = [_older(line, back) for line in path.read_text().splitlines()]
            path.write_text("\n".join(lines) + "\n")
        moment = path.stat().st_mtime - back / 1000
        os.utime(path, (moment, moment))
        # checksums of the log tell of its entries as they were
        if path.suffix == ".crc":
            path.unlink()
    return context_of(context.spark, copy)


def _older(line: str, back: int) -> str:
    action = json.loads(line)
    for told in action.values():
        for name in ("timestamp", "modificationTime", "deletionTimestamp"):
            if isinstance(told, dict) and name in told:
                told[name] -= back
    return json.dumps(action)


@pytest.fixture(scope="module")
def busy(open_lake: OpenLake) -> Context:
    """A lake of many small commits to one closed day; to be copied."""
    context = open_lake()
    for batch in range(BATCHES):
        bring(context, batch)
    return context


@pytest.fixture
def lake(busy: Context, tmp_path: Path) -> Context:
    root = tmp_path / "lake"
    shutil.copytree(busy.settings.lake.root, root)
    shutil.rmtree(root / "checkpoints")
    return context_of(busy.spark, root)


def test_files_become_fewer_and_no_row_changes(lake: Context) -> None:
    before = {name: lake.tables.read(table).collect() for name, table in TABLES.items()}

    found = maintained(lake, TABLES.values())

    trades = found[SILVER_AGG_TRADES.name]
    assert (trades.before.files, trades.after.files, trades.partitions) == (BATCHES, 1, 1)
    assert trades.after.bytes < trades.before.bytes
    assert trades.after.median == trades.after.bytes
    # a batch replaces its partitions of the current candles: a file an interval, always
    assert found[GOLD_OHLCV.name].after.files == 6
    revisions = found[GOLD_OHLCV_REVISIONS.name]
    assert revisions.before.files > revisions.after.files == 6
    for name, table in TABLES.items():
        assert sorted(before[name], key=str) == sorted(lake.tables.read(table).collect(), key=str)
    assert {one.left for one in found.values()} == {""}


def test_a_second_run_writes_nothing(lake: Context) -> None:
    maintained(lake)
    before = versions(lake)

    found = maintained(lake)

    assert versions(lake) == before
    assert {one.partitions for one in found.values()} == {0}


def test_a_dry_run_tells_the_same_and_writes_nothing(lake: Context) -> None:
    before = versions(lake)

    told = maintained(lake, is_dry=True)

    assert versions(lake) == before
    done = maintained(lake)
    assert {name: one.partitions for name, one in told.items()} == {
        name: one.partitions for name, one in done.items()
    }


def test_the_log_tells_of_the_files_that_delta_reads(lake: Context) -> None:
    maintained(lake)
    for table in (SILVER_AGG_TRADES, GOLD_OHLCV, OPS_GATE_RESULTS):
        told = {row["path"] for row in files_of(lake.spark, lake.store, table).collect()}
        read = {
            path.partition(f"{table.path}/")[2] for path in lake.tables.read(table).inputFiles()
        }
        assert told == read


def test_rows_of_a_closed_day_lie_in_order_with_statistics(lake: Context) -> None:
    maintained(lake, [SILVER_AGG_TRADES])
    (file,) = files_of(lake.spark, lake.store, SILVER_AGG_TRADES).collect()
    told = json.loads(file["stats"])

    ids = [row["agg_id"] for row in lake.tables.read(SILVER_AGG_TRADES).select("agg_id").collect()]
    # an order by ranges of values, not by each of them
    assert max(abs(number - place) for place, number in enumerate(ids, start=1)) <= ROWS // 2
    assert (told["minValues"]["agg_id"], told["maxValues"]["agg_id"]) == (1, BATCHES * ROWS)


def test_a_window_names_the_days(lake: Context) -> None:
    outside = maintained(lake, window=Window(NEW_YEAR + DAY, None))
    inside = maintained(lake, window=Window(NEW_YEAR, NEW_YEAR + DAY))

    assert outside[SILVER_AGG_TRADES.name].partitions == 0
    assert inside[SILVER_AGG_TRADES.name].partitions == 1


def test_a_day_that_goes_on_is_left_alone(lake: Context) -> None:
    class Then:
        def now(self) -> datetime:
            return NEW_YEAR + timedelta(hours=25)

        def sleep(self, seconds: float) -> None:
            raise AssertionError(seconds)

    found = maintained(replace(lake, clock=Then()))

    assert found[SILVER_AGG_TRADES.name].partitions == 0
    assert found[GOLD_OHLCV.name].partitions == 0


def test_followers_and_consumers_of_changes_see_no_row_twice(busy: Context, tmp_path: Path) -> None:
    context = aged(busy, 0, tmp_path)
    address = address_of(context.settings)
    published.run(context, address)
    bring(context, BATCHES)
    first = context.tables.version(GOLD_OHLCV_REVISIONS)
    bars_before = context.tables.read(GOLD_OHLCV).collect()

    maintained(context)

    silver.consume(context, "agg_trades")
    gold.follow(context)
    assert sorted(context.tables.read(GOLD_OHLCV).collect(), key=str) == sorted(
        bars_before, key=str
    )
    last = context.tables.version(GOLD_OHLCV_REVISIONS)
    assert last > first
    changes = context.tables.changed_between(GOLD_OHLCV_REVISIONS, 1, last)
    assert changes is not None
    told = changes.drop("_change_type", "_commit_version", "_commit_timestamp")
    assert differences(told, context.tables.read(GOLD_OHLCV_REVISIONS)) == []
    published.run(context, address)
    assert published.bars_held(address) == published.bars_of_gold(context, marked(context))
    maintained(context)
    assert published.run(context, address).number is None


def guarded(leases: Sequence[Lease]) -> Callable[[Table], None]:
    guards = {lease.table: lease.require for lease in leases}
    return lambda table: guards[table.name]()


def test_pipeline_and_maintenance_side_by_side(busy: Context, open_lake: OpenLake) -> None:
    alone, beside = busy, open_lake("maintenance.wait_seconds=120")
    ended, faults = threading.Event(), list[BaseException]()
    found: list[dict[str, Outcome]] = []

    def keep() -> None:
        try:
            while not ended.is_set():
                found.append(maintained(beside))
        except BaseException as error:  # noqa: BLE001 - told below
            faults.append(error)

    names = tuple(TABLES)
    thread = threading.Thread(target=keep)
    thread.start()
    for batch in range(BATCHES):
        with holding(beside.store, beside.clock, names, 120) as leases:
            tables = Tables(beside.spark, beside.store, guarded(leases))
            bring(replace(beside, tables=tables), batch)
        # as between two runs
        time.sleep(3)
    ended.set()
    thread.join(300)
    found.append(maintained(beside))

    assert faults == []
    assert sum(one[SILVER_AGG_TRADES.name].partitions for one in found) > 0
    # a bar's values are the same in the same order; only our process's own times differ
    own = ("knowledge_timestamp", "end_download_timestamp")
    for table in (SILVER_AGG_TRADES, GOLD_OHLCV, GOLD_OHLCV_REVISIONS):
        left, right = (one.tables.read(table).drop(*own) for one in (alone, beside))
        assert differences(left, right) == []
        keys = beside.tables.read(table).groupBy(*table.key).count()
        assert keys.where("count > 1").collect() == []


def test_a_pipeline_that_goes_on_lends_its_tables(busy: Context, tmp_path: Path) -> None:
    root = Path(aged(busy, 0, tmp_path).settings.lake.root)
    context = context_of(busy.spark, root, "maintenance.wait_seconds=240")
    stopping = threading.Event()
    names = tuple(TABLES)

    def go_on() -> None:
        with holding(context.store, context.clock, names, 120) as leases:
            keep_fresh(replace(context, leases=leases), stopping, 5)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        run = run_of(context)
        outcome = maintain(run, SILVER_AGG_TRADES)
    finally:
        stopping.set()
        thread.join(120)

    assert outcome is not None
    assert (outcome.left, outcome.after.files) == ("", 1)


def test_a_table_that_a_writer_holds_is_left_to_the_next_run(lake: Context) -> None:
    settings = load_settings(
        "replay", [f"lake.root={lake.settings.lake.root}", "maintenance.wait_seconds=1"]
    )
    hasty = replace(lake, settings=settings)
    with holding(lake.store, lake.clock, (SILVER_AGG_TRADES.name,), 120):
        found = maintain(run_of(hasty), SILVER_AGG_TRADES)

    assert found is not None
    assert "silver.agg_trades is being written by run" in found.left
    assert found.after == found.before


def lying(context: Context, table: Table) -> int:
    names = context.store.names(f"{table.path}/year")
    return sum(1 for name in names if name.endswith(".parquet"))


def test_replaced_files_go_after_their_retention_and_not_before(
    busy: Context, tmp_path: Path
) -> None:
    context = aged(busy, 0, tmp_path)
    assert maintained(context)[SILVER_AGG_TRADES.name].removed == 0
    assert lying(context, SILVER_AGG_TRADES) == BATCHES + 1

    young = aged(context, 13, tmp_path)
    assert maintained(young)[SILVER_AGG_TRADES.name].removed == 0
    old = aged(context, 15, tmp_path)
    assert maintained(old, is_dry=True)[SILVER_AGG_TRADES.name].removed == BATCHES
    found = maintained(old)

    assert found[SILVER_AGG_TRADES.name].removed == BATCHES
    assert lying(old, SILVER_AGG_TRADES) == 1
    assert old.tables.read(SILVER_AGG_TRADES).count() == BATCHES * ROWS
    assert old.tables.changed_between(GOLD_OHLCV_REVISIONS, 1, 1) is None
    assert young.tables.changed_between(GOLD_OHLCV_REVISIONS, 1, 1) is not None


def test_files_stay_while_gold_has_not_read_them(busy: Context, tmp_path: Path) -> None:
    context = aged(busy, 0, tmp_path)
    maintained(context)
    old = aged(context, 20, tmp_path)
    shutil.rmtree(Path(old.settings.lake.root) / "checkpoints" / "gold.agg_trades")

    found = maintained(old)[SILVER_AGG_TRADES.name]

    assert found.left.startswith("no file is removed: gold.agg_trades has not read version 1 of ")
    assert found.removed == 0
    assert lying(old, SILVER_AGG_TRADES) == BATCHES + 1


def test_a_table_is_published_whole_where_its_changes_are_gone(
    busy: Context, tmp_path: Path
) -> None:
    context = aged(busy, 0, tmp_path)
    address = address_of(context.settings)
    published.run(context, address)
    maintained(context)
    old = aged(context, 20, tmp_path)
    maintained(old)
    assert commit_of(old.store, GOLD_OHLCV_REVISIONS, 1) is not None

    published.run(old, address_of(old.settings))

    held = published.bars_held(address_of(old.settings))
    assert held == published.bars_of_gold(old, marked(old))


@pytest.mark.parametrize(
    "setting",
    [
        "maintenance.keep_files_days=6",
        "maintenance.keep_log_days=13",
        "maintenance.target_file_bytes=33554432",
    ],
)
def test_less_than_readers_need_is_refused(setting: str) -> None:
    with pytest.raises(SettingsError, match="maintenance"):
        load_settings("replay", [setting])


def test_the_properties_follow_the_settings(busy: Context, tmp_path: Path) -> None:
    root = aged(busy, 0, tmp_path).settings.lake.root
    context = context_of(busy.spark, Path(root), "maintenance.keep_files_days=30")

    maintain(run_of(context), GOLD_OHLCV)

    told = context.tables.properties(GOLD_OHLCV)
    assert told["delta.deletedFileRetentionDuration"] == "interval 30 days"
