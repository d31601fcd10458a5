"""What the readers of a table's change feed have not read: its files must not go before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from lake.objects import ObjectStore
from lake.table_log import commit_of, versions_from
from lake.tables import (
    GOLD_FUNDING_RATES,
    GOLD_MARK_OHLCV,
    SILVER_AGG_TRADES,
    SILVER_FUNDING_RATES,
    SILVER_MARK_KLINES,
    SILVER_TRADES,
    Table,
)

#: The stream that follows a table's changes, by the table.
FOLLOWERS: Mapping[str, str] = {
    SILVER_TRADES.name: "gold.trades",
    SILVER_AGG_TRADES.name: "gold.agg_trades",
    SILVER_FUNDING_RATES.name: GOLD_FUNDING_RATES.name,
    SILVER_MARK_KLINES.name: GOLD_MARK_OHLCV.name,
}


class Unread(NamedTuple):
    """The oldest commit that a stream has not read."""

    stream: str
    version: int
    made: datetime


def unread(store: ObjectStore, table: Table) -> Unread | None:
    """Return the oldest commit with changed rows that the table's follower has not read yet.

    None where nobody follows the table, or all is read.

    Raises:
        StorageError: the store can't be read.
    """
    stream = FOLLOWERS.get(table.name)
    if stream is None:
        return None
    for version in versions_from(store, table, _next_version(store, stream)):
        commit = commit_of(store, table, version)
        if commit is not None and commit.moves_rows:
            return Unread(stream, version, commit.made)
    return None


def _next_version(store: ObjectStore, stream: str) -> int:
    """Return the version that a stream reads next, by the end of its last whole batch."""
    generation = (store.read(f"checkpoints/{stream}/generation") or b"1").decode()
    folder = f"checkpoints/{stream}/{generation}"
    done = [key.rpartition("/")[2] for key in store.names(f"{folder}/commits/")]
    batches = [int(name) for name in done if name.isdecimal()]
    content = store.read(f"{folder}/offsets/{max(batches)}") if batches else None
    if content is None:
        return 0
    return int(json.loads(content.splitlines()[2])["reservoirVersion"])
