"""What a check downloads for itself lands in a place of its own, and never in silver."""

from __future__ import annotations

import logging

from jobs.context import Context, Lake, exchanges_of
from jobs.extraction.run import prepare
from jobs.options import Selection
from jobs.reconciliation.sides import Part
from lake.objects import ObjectStore, open_store
from transform.reconciliation.attribution import Source

log = logging.getLogger(__name__)
#: Where everything that a check has looked at is kept, a folder a run.
FOLDER = "ops/qa"


def folder_of(context: Context) -> str:
    """Return the key of the folder in which all that this run has looked at is kept."""
    return f"{FOLDER}/{context.run_id}"


def own_place(context: Context) -> ObjectStore:
    """Return the place of this run's downloads: a bronze of its own below the lake's `ops/qa/`."""
    return open_store(f"{context.settings.lake.root.rstrip('/')}/{folder_of(context)}/download")


def download(context: Context, source: Source, part: Part) -> ObjectStore:
    """Ask the exchange for a window by REST or for its archive, and return where the answers lie.

    Of bars it asks for the part's interval, or for that of the settings where it names none.

    Raises:
        UsageError: the exchange or the replay has nothing of it.
        UnreachableError, BannedError, PermanentExtractError: as any extraction.
    """
    place, asking = own_place(context), context.settings
    if part.interval:
        bars = asking.extract.model_copy(update={"bar_interval": part.interval})
        asking = asking.model_copy(update={"extract": bars})
    apart = Lake(asking, place, context.clock, context.run_id)
    selection = Selection((part.segment,), *part.window, (part.fact.dataset,), source)
    with exchanges_of(asking) as settings:
        # a big window is asked for by whoever starts the check
        done = prepare(apart, settings, selection, yes=True).run()
    log.info("downloaded %s rows=%d files=%d", source, done.landed.rows, done.landed.files_created)
    return place
