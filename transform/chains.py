"""A cheap proof that rows are one unbroken chain of ids: each id once, nothing missing.

If every row is a link from `first` to `last + 1`, a chain from a to b without a break or a repeat
has the same starts as ends, but for a and b. Both are compared as the exclusive or of 64-bit
hashes; with as many ids as the range is long, each id is there exactly once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Protocol

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812


class LinkRow(Protocol):
    """One row of the aggregates of `link_aggregates`."""

    def __getitem__(self, name: str) -> int:
        """Return an aggregate by its name."""


def link_aggregates(name: str, first: str, last: str, when: Column) -> Sequence[Column]:
    """Return the aggregates, prefixed with `name`, that `Chain.of` joins; null over no row."""
    start = F.when(when, F.col(first))
    end = F.when(when, F.col(last) + 1)
    return (
        F.min(start).alias(f"{name}_lowest"),
        (F.max(end) - 1).alias(f"{name}_highest"),
        F.sum(end - start).alias(f"{name}_length"),
        F.bit_xor(F.when(when, F.xxhash64(start))).alias(f"{name}_starts"),
        F.bit_xor(F.when(when, F.xxhash64(end))).alias(f"{name}_ends"),
        F.xxhash64(F.min(start)).alias(f"{name}_lowest_hash"),
        F.xxhash64(F.max(end)).alias(f"{name}_highest_hash"),
    )


@dataclass(frozen=True, slots=True)
class Chain:
    """What the links of some groups of rows amount to, both ids inclusive."""

    lowest: int
    highest: int
    is_unbroken: bool

    @classmethod
    def of(cls, name: str, rows: Iterable[LinkRow]) -> Chain | None:
        """Join the aggregates of disjoint groups of rows; None where none of them has a link."""
        linked = [row for row in rows if row[f"{name}_lowest"] is not None]
        if not linked:
            return None
        low = min(linked, key=lambda row: row[f"{name}_lowest"])
        high = max(linked, key=lambda row: row[f"{name}_highest"])
        starts = reduce(xor, (row[f"{name}_starts"] for row in linked))
        ends = reduce(xor, (row[f"{name}_ends"] for row in linked))
        lowest, highest = low[f"{name}_lowest"], high[f"{name}_highest"]
        telescopes = starts ^ low[f"{name}_lowest_hash"] == ends ^ high[f"{name}_highest_hash"]
        length = sum(row[f"{name}_length"] for row in linked)
        return cls(lowest, highest, telescopes and length == highest - lowest + 1)
