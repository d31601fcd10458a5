"""Counts the ids of silver over a hole again: what the ledger says is believed of the rest only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from extract.coverage import Missing, joined, missing_ids
from jobs.context import Context
from jobs.coverage.holdings import Entry, Of
from jobs.silver import FACTS
from lake.bronze import Coverage
from lake.frames import local_frame
from lake.storage import IdRange, Slice

RANGE = T.StructType(
    [T.StructField("first_id", T.LongType()), T.StructField("last_id", T.LongType())]
)
#: Why ids stay open that were asked for and answered.
REASONS = {
    "left_out": "the exchange's answer left them out again",
    "quarantined": "their rows are turned away; see candlelake quarantine list",
    "not_loaded": "the exchange did not answer with them",
    "off_book": "the exchange's answer skipped them: asked for alone, they are proved",
}
#: The ledger knows of no hole, and still the count does not come out.
NOT_IN_SILVER = "the ledger says they are held, silver lacks them: rebuild the window"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is true of a hole now.

    Attributes:
        of: whose hole it was.
        hole: its ids.
        counted: how many of them silver holds.
        proved: how many of the others are proved not to exist at the exchange.
        reason: why the rest is open, empty where there is none.
    """

    of: Of
    hole: Missing
    counted: int
    proved: int
    reason: str

    @property
    def ids(self) -> int:
        """How many ids the hole had."""
        return self.hole.last_id - self.hole.first_id + 1

    @property
    def is_open(self) -> bool:
        """Whether an id is neither in silver nor proved not to exist."""
        return self.counted + self.proved < self.ids

    def __str__(self) -> str:
        exchange, kind, instrument, _, dataset = self.of
        hole = f"{exchange} {kind} {instrument} {dataset} {self.hole.first_id}..{self.hole.last_id}"
        return f"{hole}: {self._word}; {self.counted:,} of {self.ids:,} ids counted in silver"

    @property
    def _word(self) -> str:
        if self.is_open:
            return f"open, {self.reason}"
        if not self.proved:
            return "filled"
        if not self.counted:
            return "proved the exchange's own"
        return f"filled but for {self.proved:,} ids, proved the exchange's own"


def recounted(
    context: Context, of: Of, holes: Mapping[Missing, str], known: Sequence[Entry]
) -> Iterator[Verdict]:
    """Yield what is true of the holes of one instrument and dataset now.

    Args:
        context: the run.
        of: whose holes.
        holes: each hole that was open, and why it may be open still, empty where nobody knows.
        known: all holes that the ledger knows there now.
    """
    counted = _counted(context, of, list(holes))
    for hole, reason in holes.items():
        left = [one for one in known if one.state != "proved" and _overlap(one, hole)]
        why = reason or "; ".join(sorted({REASONS[one.cause] for one in left})) or NOT_IN_SILVER
        yield Verdict(of, hole, counted.get(hole.first_id, 0), _proved(known, hole), why)


def _counted(context: Context, of: Of, holes: list[Missing]) -> dict[int, int]:
    """Return how many different ids silver holds of each hole, by its first id."""
    exchange, kind, instrument, uid, dataset = of
    fact = FACTS[dataset]
    first, last = min(hole.first_id for hole in holes), max(hole.last_id for hole in holes)
    within = Slice(
        ((exchange, kind),), instruments=(instrument,), ids=IdRange(fact.id_column, first, last)
    )
    rows = context.tables.read(fact.table).where(within.predicate())
    ids = rows.where(F.col("instrument_uid") == uid).select(F.col(fact.id_column).alias("id"))
    ranges = local_frame(context.spark, [(hole.first_id, hole.last_id) for hole in holes], RANGE)
    inside = F.col("id").between(F.col("first_id"), F.col("last_id"))
    counts = ids.join(F.broadcast(ranges), inside, "inner").groupBy("first_id")
    return {row[0]: row[1] for row in counts.agg(F.count_distinct("id")).collect()}


def _proved(known: Sequence[Entry], hole: Missing) -> int:
    """Return how many ids of a hole the exchange is proved not to have."""
    proved = joined(
        Coverage(one.first_id, one.last_id, 0, 0)
        for one in known
        if one.state == "proved" and one.ids
    )
    unproved = missing_ids(proved, hole.first_id, hole.last_id)
    rest = sum(part.last_id - part.first_id + 1 for part in unproved)
    return hole.last_id - hole.first_id + 1 - rest


def _overlap(one: Entry, hole: Missing) -> bool:
    return one.first_id <= hole.last_id and one.last_id >= hole.first_id
