"""What runs of `reconcile` have left is kept for ever, or for as many days as a setting says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.context import Lake
from jobs.reconciliation.old_runs import forget_old
from lake.clock import SystemClock
from lake.objects import FolderStore
from lake.settings import load_settings

#: Midnight thirty days before `NOW`: a run of that very second stays.
OLD = ("20240130T235959Z-1f2e3d4c", "20230101T000000Z-aaaaaaaa")
KEPT = ("20240131T000000Z-1f2e3d4c", "20240301T000000Z-bbbbbbbb", "notes", "2024-my-own")
NOW = datetime(2024, 3, 1, tzinfo=UTC)
PARQUET = "compared/binance-spot-trades-live-rest.parquet/part-0.parquet"
BESIDE = ("gold/ohlcv/part-0.parquet", "ops/reconciliation/part-0.parquet")


class StoppedClock(SystemClock):
    """Stands at `NOW`."""

    def now(self) -> datetime:
        """Return always the same moment."""
        return NOW


@pytest.mark.parametrize(("days", "kept"), [("30", KEPT), ("0", (*KEPT, *OLD))])
def test_folders_of_old_runs_are_removed_and_nothing_else(
    tmp_path: Path, days: str, kept: tuple[str, ...]
) -> None:
    store = FolderStore(tmp_path)
    for run in (*OLD, *KEPT):
        for name in ("report.html", PARQUET, "download/bronze/trades/one.gz"):
            assert store.create(f"ops/qa/{run}/{name}", b"kept")
    for key in BESIDE:
        assert store.create(key, b"rows")
    settings = load_settings("replay", [f"reconcile.keep_runs_days={days}"], environ={})

    forget_old(Lake(settings, store, StoppedClock(), "run"))

    # an empty folder would be left over too
    assert sorted(path.name for path in (tmp_path / "ops" / "qa").iterdir()) == sorted(kept)
    assert len(list(store.names("ops/qa/"))) == 3 * len(kept)
    assert all(store.read(key) for key in BESIDE)
