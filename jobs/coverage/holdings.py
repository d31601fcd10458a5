"""What the ledger says of each instrument: ids held, time proved, holes; by arithmetic alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyspark.sql import functions as F  # noqa: N812

from extract.coverage import Missing, joined, missing_ids
from jobs.context import Context
from jobs.options import Segment
from lake.bronze import Coverage
from lake.errors import UsageError
from lake.tables import OPS_CONTINUITY

#: Exchange, kind, instrument, its uid, and the dataset.
Of = tuple[str, str, str, str, str]
KEY = ("exchange", "kind", "instrument", "instrument_uid", "dataset")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One row of `ops.continuity`; times in microseconds since the epoch, both inclusive ids."""

    entry: str
    first_id: int
    last_id: int
    from_us: int
    until_us: int
    cause: str
    state: str

    @property
    def ids(self) -> int:
        """How many ids it spans; none for an answer of nothing and a jump of trade numbers."""
        return max(0, self.last_id - self.first_id + 1)


@dataclass(frozen=True, slots=True)
class HoleCount:
    """The holes of one cause and state: how many, and how many ids they span."""

    cause: str
    state: str
    holes: int
    ids: int


@dataclass(frozen=True, slots=True)
class Holding:
    """All that the ledger says of a dataset of one instrument."""

    of: Of
    entries: Sequence[Entry]

    def named(self, entry: str) -> list[Entry]:
        """Return the entries of one sort: held, quiet or hole."""
        return [one for one in self.entries if one.entry == entry]

    @property
    def open_holes(self) -> list[Entry]:
        """The holes that nobody has explained or filled."""
        return [hole for hole in self.named("hole") if hole.state == "open"]

    @property
    def assumed_holes(self) -> list[Entry]:
        """The trade numbers that are taken for off the book, and that nobody has asked for."""
        return [hole for hole in self.named("hole") if hole.state == "assumed"]

    @property
    def proved_entries(self) -> list[Entry]:
        """The runs held and the silences: what time is proved by."""
        return [one for one in self.entries if one.entry != "hole"]

    def held(self) -> list[Missing]:
        """Return the spans of ids that are held: the runs without the holes in them."""
        cuts = joined(Coverage(*_span(hole)) for hole in self.named("hole") if hole.ids)
        runs = joined(Coverage(*_span(run)) for run in self.named("held"))
        return [span for run in runs for span in missing_ids(cuts, run.first_id, run.last_id)]

    def counts(self) -> Iterator[HoleCount]:
        """Yield the holes by cause and state, in that order."""
        found = defaultdict[tuple[str, str], list[Entry]](list)
        for hole in self.named("hole"):
            found[hole.cause, hole.state].append(hole)
        for (cause, state), holes in sorted(found.items()):
            yield HoleCount(cause, state, len(holes), sum(hole.ids for hole in holes))


def holdings(context: Context, segments: Sequence[Segment]) -> list[Holding]:
    """Return what the ledger holds of these segments, in the order of their names.

    Raises:
        UsageError: it holds nothing of them.
        StorageError: the lake has no ledger yet.
    """
    micros = [F.unix_micros("proved_from"), F.unix_micros("proved_until")]
    rows = context.tables.read(OPS_CONTINUITY).select(
        *KEY, "entry", "first_id", "last_id", *micros, F.coalesce("cause", F.lit("")), "state"
    )
    found = defaultdict[Of, list[Entry]](list)
    for row in rows.collect():
        found[tuple(row[: len(KEY)])].append(Entry(*row[len(KEY) :]))
    chosen = [
        Holding(of, sorted(entries))
        for of, entries in sorted(found.items())
        if _wants(segments, of)
    ]
    if not chosen:
        raise UsageError(
            "the ledger holds nothing of this selection",
            where=OPS_CONTINUITY.name,
            hint="Names are the venue's own, or patterns of them; run the pipeline first.",
        )
    return chosen


def _wants(segments: Sequence[Segment], of: Of) -> bool:
    exchange, kind, instrument, _, _ = of
    return any(
        (one.exchange, one.kind) == (exchange, kind) and one.admits(instrument) for one in segments
    )


def _span(entry: Entry) -> tuple[int, int, int, int]:
    return (entry.first_id, entry.last_id, entry.from_us, entry.until_us)
