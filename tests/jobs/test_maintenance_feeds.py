"""What gold has not read of silver's changes, by its checkpoint and the table's log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.maintenance.feeds import unread
from lake.clock import to_millis
from lake.objects import FolderStore
from lake.table_log import commit_of, kept_for, parts
from lake.tables import GOLD_OHLCV, SILVER_TRADES

DAY = datetime(2026, 3, 1, tzinfo=UTC)
LOG = "silver/trades/_delta_log"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    found = FolderStore(tmp_path)
    for version, operation in enumerate(("CREATE TABLE", "WRITE", "OPTIMIZE", "MERGE")):
        made = to_millis(DAY + timedelta(days=version))
        told = {"commitInfo": {"timestamp": made, "operation": operation}}
        found.create(f"{LOG}/{version:020}.json", json.dumps(told).encode() + b'\n{"add":{}}\n')
    return found


def read_until(store: FolderStore, version: int, batch: int = 0, generation: int = 1) -> None:
    folder = f"checkpoints/gold.trades/{generation}"
    offset = json.dumps({"reservoirVersion": version, "index": -1})
    store.create(f"{folder}/offsets/{batch}", f"v1\n{{}}\n{offset}".encode())
    store.create(f"{folder}/commits/{batch}", b"v1\n{}")


def oldest_unread(store: FolderStore) -> int | None:
    found = unread(store, SILVER_TRADES)
    return None if found is None else found.version


@pytest.mark.parametrize(("position", "oldest"), [(0, 1), (1, 1), (2, 3), (3, 3), (4, None)])
def test_a_commit_that_moves_rows_is_waited_for(
    store: FolderStore, position: int, oldest: int | None
) -> None:
    read_until(store, position)

    found = unread(store, SILVER_TRADES)

    assert oldest_unread(store) == oldest
    if found is not None:
        assert (found.stream, found.made) == ("gold.trades", DAY + timedelta(days=found.version))


def test_a_batch_that_has_not_ended_has_read_nothing(store: FolderStore) -> None:
    read_until(store, 1, batch=9)
    read_until(store, 3, batch=10)
    store.create("checkpoints/gold.trades/1/offsets/11", b'v1\n{}\n{"reservoirVersion":4}')

    assert oldest_unread(store) == 3


def test_a_stream_that_began_anew_reads_all_again(store: FolderStore) -> None:
    read_until(store, 4)
    store.create("checkpoints/gold.trades/generation", b"2")

    assert oldest_unread(store) == 1


def test_a_table_that_nobody_follows_waits_for_nobody(store: FolderStore) -> None:
    assert unread(store, GOLD_OHLCV) is None


def test_a_version_that_the_log_has_dropped_is_none(store: FolderStore) -> None:
    assert commit_of(store, SILVER_TRADES, 17) is None
    commit = commit_of(store, SILVER_TRADES, 2)
    assert commit is not None
    assert (commit.operation, commit.moves_rows) == ("OPTIMIZE", False)


def test_the_newest_whole_checkpoint_and_what_came_behind_it_tell_the_files(
    store: FolderStore,
) -> None:
    store.create(f"{LOG}/{1:020}.checkpoint.parquet", b"")
    for part in (1, 2):
        store.create(f"{LOG}/{2:020}.checkpoint.{part:010}.{2:010}.parquet", b"")
    store.create(f"{LOG}/{3:020}.checkpoint.{1:010}.{2:010}.parquet", b"")

    found = parts(store, SILVER_TRADES)

    assert [key.rpartition("/")[2][:27] for key in found.checkpoint] == [
        "00000000000000000002.checkp"
    ] * 2
    assert found.entries == (f"{LOG}/{3:020}.json",)


@pytest.mark.parametrize(
    ("text", "days"), [("interval 14 days", 14), ("interval 1 day", 1), (None, 7)]
)
def test_how_long_files_are_kept_stands_in_the_table(text: str | None, days: int) -> None:
    properties = {} if text is None else {"delta.deletedFileRetentionDuration": text}

    assert kept_for(properties) == timedelta(days=days)
