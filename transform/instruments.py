"""The history of listings: what each instrument was, from when to when."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform.instrument_snapshots import observed

__all__ = ["history", "observed"]

NAMES = schemas.INSTRUMENTS.fieldNames()
LISTING = ["exchange", "kind", "instrument"]
#: A change of one of these is a new row of the listing.
CONTRACT = (
    *("status", "direction", "base_unit", "quote_unit", "settlement_unit", "quantity_unit"),
    *("contract_size", "tick_size", "lot_size", "strike", "option_type", "expiry"),
)


def history(current: DataFrame, snapshot: DataFrame) -> DataFrame:
    """Return the whole history of one exchange and kind after one more snapshot of it.

    A listing that stays the same keeps its row; a change of contract closes the row and opens
    another at the snapshot's time; one that is missing is closed there and never deleted; a name
    that comes back opens a new row, with the time of its listing in its uid where the exchange
    gives no id. The same snapshot again changes nothing.

    Args:
        current: rows of `schemas.INSTRUMENTS`.
        snapshot: rows of `observed` with one `snapshot_at`: all that the exchange listed then.
    """
    live, closed = current.where("valid_to IS NULL"), current.where("valid_to IS NOT NULL")
    taken_at = snapshot.select("exchange", "kind", "snapshot_at").distinct()
    seen = snapshot.dropDuplicates(LISTING)
    kept = _kept_or_closed(live, seen, taken_at)
    return closed.select(*NAMES).unionByName(kept).unionByName(_opened(live, closed, seen))


def _kept_or_closed(live: DataFrame, seen: DataFrame, taken_at: DataFrame) -> DataFrame:
    """Return the rows that were open: as they are, or closed at the snapshot's time."""
    now = seen.select(*LISTING, F.struct(*CONTRACT).alias("now"))
    rows = live.join(now, LISTING, "left").join(taken_at, ["exchange", "kind"])
    is_missing = F.col("now").isNull()
    has_ended = is_missing | ~F.struct(*CONTRACT).eqNullSafe(F.col("now"))
    gone_at = F.least("snapshot_at", F.coalesce("expiry", "snapshot_at"))
    return rows.withColumns(
        {
            "valid_to": F.when(has_ended, F.col("snapshot_at")),
            "delisted_at": F.when(is_missing, gone_at),
        }
    ).select(*NAMES)


def _opened(live: DataFrame, closed: DataFrame, seen: DataFrame) -> DataFrame:
    """Return the rows that the snapshot opens: new names, names that came back, new contracts."""
    was = live.select(
        *LISTING,
        F.struct(*CONTRACT).alias("was"),
        F.col("instrument_uid").alias("was_uid"),
    )
    ended = closed.select(*LISTING, F.lit(True).alias("came_back")).distinct()
    rows = seen.join(was, LISTING, "left").join(ended, LISTING, "left")
    changed = rows.where(F.col("was").isNull() | ~F.struct(*CONTRACT).eqNullSafe(F.col("was")))
    is_new = F.col("was").isNull()
    is_observed = ~is_new | F.col("valid_from_observed")
    return changed.withColumns(
        {
            "instrument_uid": F.coalesce("was_uid", _uid()),
            "valid_from": F.when(is_new, F.col("valid_from")).otherwise(F.col("snapshot_at")),
            "valid_from_observed": is_observed,
        }
    ).select(*NAMES)


def _uid() -> Column:
    """Return the uid of a listing: the exchange's own id, else its name, apart if it returns."""
    gives_id = F.col("instrument_uid") != F.col("instrument")
    listed = F.date_format("valid_from", "yyyyMMdd'T'HHmmss'Z'")
    again = F.concat_ws("@", "instrument", listed)
    returns = F.coalesce("came_back", F.lit(False)) & ~gives_id
    return F.when(returns, again).otherwise(F.col("instrument_uid"))
