"""Takes away what old runs of `reconcile` have left below `ops/qa/`, where a setting says so."""

from __future__ import annotations

import logging
import shutil
from datetime import UTC, datetime, timedelta

from jobs.context import Lake
from jobs.reconciliation.download import FOLDER
from lake.objects import FolderStore

log = logging.getLogger(__name__)
#: How the name of a run tells its second.
BEGAN = "%Y%m%dT%H%M%SZ"


def forget_old(lake: Lake) -> None:
    """Delete the folders of runs that began more than `reconcile.keep_runs_days` ago.

    Their certificates and differences stay: they are rows of `ops.*`.

    Raises:
        StorageError: the store refuses.
    """
    days = lake.settings.reconcile.keep_runs_days
    if not days:
        return
    before = lake.clock.now() - timedelta(days=days)
    gone = set()
    for key in list(lake.store.names(f"{FOLDER}/")):
        run = key.removeprefix(f"{FOLDER}/").partition("/")[0]
        began = _began(run)
        if began is not None and began < before:
            lake.store.delete(key)
            gone.add(run)
    if isinstance(lake.store, FolderStore):
        for run in gone:
            shutil.rmtree(lake.store.location(f"{FOLDER}/{run}"), ignore_errors=True)
    if gone:
        log.info("removed what %d runs older than %d days have left", len(gone), days)


def _began(run: str) -> datetime | None:
    """Return when a run began, by its name; None for a folder that is none of a run's."""
    try:
        return datetime.strptime(run.partition("-")[0], BEGAN).replace(tzinfo=UTC)
    except ValueError:
        return None
