"""A copy of a lake that is in use: whole, consistent, and a lake of its own once it is back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from jobs import gold, silver
from jobs.backup.backing_up import NOTE, back_up, restore
from jobs.backup.copying import never_changes
from jobs.context import Context, Lake
from lake.clock import SystemClock
from lake.errors import LeaseError, UsageError
from lake.lease import held as holding
from lake.lease import lent
from lake.objects import open_store
from lake.settings import load_settings
from lake.tables import OPS_SIGHTINGS, SILVER_AGG_TRADES, TABLES
from lake.wishes import ASKED, is_wished
from tests.jobs.conftest import OpenLake, context_of
from tests.jobs.test_maintain import bring, maintained

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

#: What differs between two runs over the same rows.
OWN = {"knowledge_timestamp", "updated_at", "run_id", "checked_at", "evaluated_at", "run_time"}


def lake_of(context: Context, *overrides: str) -> Lake:
    settings = context.settings
    if overrides:
        settings = load_settings("replay", [f"lake.root={settings.lake.root}", *overrides])
    return Lake(settings, context.store, context.clock, "backup")


def empty(folder: Path, *overrides: str) -> Lake:
    settings = load_settings("replay", [f"lake.root={folder}", *overrides])
    store = open_store(settings.lake.root)
    return Lake(settings, store, SystemClock(), "restore")


def rows(context: Context) -> dict[str, list[str]]:
    return {
        name: sorted(map(str, context.tables.read(table).collect()))
        for name, table in TABLES.items()
    }


def facts(context: Context) -> dict[str, list[Any]]:
    """Return the rows of silver and gold in all columns but our process's own times."""
    found = {}
    for name, table in TABLES.items():
        if not name.startswith("ops."):
            columns = [column for column in table.schema.names if column not in OWN]
            found[name] = sorted(map(str, context.tables.read(table).select(*columns).collect()))
    return found


def files_read(context: Context) -> int:
    """Return how many bronze files the stream of silver has taken, by its checkpoint."""
    folder = Path(context.settings.lake.root, "checkpoints/silver.agg_trades/1/sources/0")
    return sum(path.read_text().count('"path":') for path in folder.glob("[0-9]*"))


@pytest.fixture
def used(open_lake: OpenLake) -> Context:
    context = open_lake()
    bring(context, 0)
    return context


def test_a_restored_lake_answers_the_same_and_goes_on(used: Context, tmp_path: Path) -> None:
    copy, there = tmp_path / "the copy", tmp_path / "re stored"
    back_up(lake_of(used), str(copy))
    before = rows(used)
    bring(used, 1)

    restore(empty(there), str(copy))

    restored = context_of(used.spark, there)
    assert rows(restored) == before
    bring(restored, 1)
    assert facts(restored) == facts(used)
    assert files_read(restored) == files_read(used) == 2
    assert restored.tables.version(SILVER_AGG_TRADES) == used.tables.version(SILVER_AGG_TRADES)
    assert restored.tables.read(OPS_SIGHTINGS).count() == used.tables.read(OPS_SIGHTINGS).count()
    silver.consume(restored, "agg_trades")
    gold.follow(restored)
    assert facts(restored) == facts(used)


def test_a_second_copy_takes_what_is_new_and_drops_what_is_gone(
    used: Context, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    first = back_up(lake_of(used), str(copy))
    again = back_up(lake_of(used), str(copy))
    assert first.objects > 50
    # its own note of whether it is whole is no object of the lake
    assert (again.objects, again.removed) == (0, 0)

    bring(used, 1)
    maintained(used)
    read = {path.rpartition("/")[2] for path in used.tables.read(SILVER_AGG_TRADES).inputFiles()}
    lying = Path(used.settings.lake.root, "silver/agg_trades").rglob("part-*")
    next(path for path in lying if path.name not in read).unlink()
    third = back_up(lake_of(used), str(copy))

    assert 0 < third.objects < first.objects
    assert third.removed == 1
    restore(empty(tmp_path / "restored"), str(copy))
    assert facts(context_of(used.spark, tmp_path / "restored")) == facts(used)


def test_a_copy_that_is_not_whole_is_refused(used: Context, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    back_up(lake_of(used), str(copy))
    note = json.loads((copy / NOTE).read_text())
    (copy / NOTE).write_text(json.dumps({**note, "is_whole": False}))

    with pytest.raises(UsageError, match="no whole copy"):
        restore(empty(tmp_path / "restored"), str(copy))
    with pytest.raises(UsageError, match="no whole copy"):
        restore(empty(tmp_path / "restored"), str(tmp_path / "nothing"))


def test_places_are_not_taken_for_others(used: Context, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    back_up(lake_of(used), str(copy))
    other = tmp_path / "other"
    shutil.copytree(used.settings.lake.root, other)

    with pytest.raises(UsageError, match="the place holds a lake"):
        back_up(lake_of(used), str(other))
    with pytest.raises(UsageError, match="the place holds the copy of file:"):
        back_up(lake_of(context_of(used.spark, other)), str(copy))
    with pytest.raises(UsageError, match="its own copy"):
        back_up(lake_of(used), used.settings.lake.root)
    with pytest.raises(UsageError, match="the lake holds bronze/ already"):
        restore(lake_of(used), str(copy))


def test_tables_stand_still_while_they_are_copied(used: Context, tmp_path: Path) -> None:
    hasty = lake_of(used, "maintenance.wait_seconds=1")
    names = tuple(TABLES)
    with (
        holding(used.store, used.clock, names, 120),
        pytest.raises(LeaseError, match="is being written"),
    ):
        back_up(hasty, str(tmp_path / "copy"))
    with pytest.raises(UsageError, match="no whole copy"):
        restore(empty(tmp_path / "restored"), str(tmp_path / "copy"))

    with holding(used.store, used.clock, names, 120) as leases:
        assert is_wished(used.store, used.clock, names[0], ASKED)
        with lent(leases):
            back_up(hasty, str(tmp_path / "copy"))
        for lease in leases:
            lease.require()


@pytest.mark.parametrize(
    ("key", "is_fixed"),
    [
        ("bronze/agg_trades/binance/spot/2024-01/BTCUSDT~x.ndjson.gz", True),
        ("silver/trades/year=2024/month=1/part-1.parquet", True),
        ("silver/trades/_delta_log/00000000000000000020.checkpoint.parquet", True),
        ("silver/trades/_delta_log/00000000000000000020.json", True),
        ("silver/trades/_delta_log/_last_checkpoint", False),
        ("checkpoints/gold.trades/generation", False),
        ("checkpoints/gold.trades/1/offsets/0", False),
    ],
)
def test_what_never_changes_is_known_by_its_name(key: str, *, is_fixed: bool) -> None:
    assert never_changes(key) is is_fixed
