"""Two sides of Binance's prints: blocks in which they agree are settled, the rest is parsed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from jobs.batches import candidates_of
from jobs.context import Context
from jobs.reconciliation.settled import blocks, tallies, written
from jobs.reconciliation.settled.blocks import Blocks
from jobs.reconciliation.settled.tallies import ANSWER, TALLY, Tally
from jobs.reconciliation.settled.trimmed import LINES, Trim
from jobs.reconciliation.sides import MODES, Part, Rows, Side, around, held, lines, parsed, read
from lake.bronze import BronzeName
from lake.clock import to_micros
from lake.frames import local_frame
from lake.tables import SILVER_INSTRUMENTS
from transform import binance, envelopes, listings
from transform.reconciliation.certificates import SETTLED, Keep
from transform.reconciliation.checksums import longs
from transform.reconciliation.pairs import SIDES
from transform.reconciliation.subjects import SUBJECTS

#: What is written so alike that it can be compared as text.
SOURCES = ("rest", "archive")
Sides = tuple[Side, Side]


@dataclass(frozen=True, slots=True)
class Read:
    """Two sides as read.

    Attributes:
        left: its rows, but for those of settled blocks.
        right: likewise.
        settled: rows of `certificates.SETTLED`; None where all rows are there.
    """

    left: Rows
    right: Rows
    settled: DataFrame | None


@dataclass(frozen=True, slots=True)
class _Listed:
    """What holds of an instrument whenever it is asked: its uid, and the hash of that."""

    uid: str
    hashed: int
    is_readable: bool


def read_both(context: Context, sides: Sides, part: Part, *, keep: Keep) -> Read:
    """Read both sides: all their rows, or those alone that have to be looked at one by one.

    What a check compares is kept row beside row where it is not too much (see `keep_compared`):
    then all is read. Few rows are given to `keep`.
    """
    if not _is_worth_it(context, sides, part):
        left, right = (read(context, side, which, part) for side, which in _named(sides))
        return Read(left, right, None)
    listed = _listed(context, part, sides)
    tally = _tally(context, sides, part, listed)
    tallied = _tallied(context, sides, part, tally)
    touched = _touched(context, sides, part, blocks.strange(tallied))
    judged = blocks.judged(tallied, touched)
    left, right = (
        _unread(context, side, part, judged, Trim(tally, which, judged.unsettled), keep=keep)
        for side, which in _named(sides)
    )
    segment = {"exchange": part.segment.exchange, "kind": part.segment.kind, "bar_interval": ""}
    counted = [
        {**segment, **row, "instrument_uid": listed[str(row["instrument"])].uid}
        for row in blocks.counted(judged, SUBJECTS[part.fact.dataset])
    ]
    values = [[row[name] for name in SETTLED.fieldNames()] for row in counted]
    return Read(left, right, local_frame(context.spark, values, SETTLED))


def _is_worth_it(context: Context, sides: Sides, part: Part) -> bool:
    """Tell whether blocks can be settled, and whether there are more rows than are kept."""
    names = [_names(side, part) for side in sides]
    claimed = max(sum(len_of(name) for name in of_side) for of_side in names)
    return (
        part.segment.exchange == binance.EXCHANGE
        and part.fact.dataset in written.FORMS
        and all(side.source in SOURCES and not side.period for side in sides)
        and all(names)
        and claimed > context.settings.reconcile.keep_rows
    )


def len_of(name: BronzeName) -> int:
    """Return how many ids a name claims."""
    return max(0, name.coverage.last_id - name.coverage.first_id + 1)


def _names(side: Side, part: Part) -> Sequence[BronzeName]:
    return [name for found in held(side, part).values() for name in found]


def _named(sides: Sides) -> Sequence[tuple[Side, str]]:
    return tuple(zip(sides, SIDES, strict=True))


def _tally(context: Context, sides: Sides, part: Part, listed: Mapping[str, _Listed]) -> Tally:
    start, end = part.window
    beyond = around(part.window)
    return Tally(
        part.fact.dataset,
        part.segment.kind,
        {which: MODES[side.source] for side, which in _named(sides)},
        {name: one.hashed if one.is_readable else None for name, one in listed.items()},
        _taker_sides(context),
        (to_micros(start), to_micros(end)),
        (to_micros(beyond[0]), to_micros(beyond[1])),
        tallies.BLOCK,
    )


def _tallied(context: Context, sides: Sides, part: Part, tally: Tally) -> pd.DataFrame:
    """Count both sides block by block, in Spark's workers."""
    marked = []
    for side, which in _named(sides):
        found = lines(context, side, part)
        if found is not None:
            marked.append(found.select(F.lit(which).alias("side"), "bronze_file", _mark(), "value"))
    union = reduce(DataFrame.unionByName, marked)
    return pd.DataFrame(union.mapInArrow(tally, TALLY).toArrow().to_pandas())


def _mark() -> Column:
    """Tell a line from the others of its file, whatever it holds."""
    return F.xxhash64("value").alias("mark")


def _listed(context: Context, part: Part, sides: Sides) -> Mapping[str, _Listed]:
    """Return what holds of the instruments at all times."""
    known = context.tables.read(SILVER_INSTRUMENTS).where(
        (F.col("exchange") == part.segment.exchange) & (F.col("kind") == part.segment.kind)
    )
    names = sorted({name.instrument for side in sides for name in _names(side, part)})
    asked = local_frame(context.spark, [[name] for name in names], tallies.INSTRUMENTS)
    uid = F.coalesce("instrument_uid", "instrument")
    is_sized = F.lit(part.segment.kind != "coinm") | F.col("contract_size").isNotNull()
    found = asked.join(listings.steady(known), ["instrument"], "left").select(
        "instrument",
        uid.alias("uid"),
        *[long.alias("hashed") for long in longs(uid, tallies.TEXT)],
        (F.coalesce("is_steady", F.lit(True)) & is_sized).alias("is_readable"),
    )
    return {
        row["instrument"]: _Listed(row["uid"], row["hashed"], row["is_readable"])
        for row in found.collect()
    }


def _taker_sides(context: Context) -> tuple[int, int]:
    hashes = [longs(F.lit(word), tallies.TEXT)[0].alias(word) for word in ("buy", "sell")]
    row = context.spark.range(1).select(*hashes).collect()[0]
    return row["buy"], row["sell"]


def _touched(
    context: Context, sides: Sides, part: Part, strange: pd.DataFrame
) -> Collection[tuple[str, int]]:
    """Return the blocks in which the answers that are strange have rows, as silver reads them."""
    found: set[tuple[str, int]] = set()
    for side, which in _named(sides):
        answers = _chosen(context, side, part, strange[strange["side"] == which])
        if answers is None:
            continue
        candidates = candidates_of(
            context, part.fact, envelopes.read(answers), [part.segment.exchange]
        )
        place = _block(part.fact.id_column).alias("block")
        rows = candidates.select("instrument", place).distinct().dropna().collect()
        found |= {(row["instrument"], row["block"]) for row in rows}
    return found


def _unread(
    context: Context, side: Side, part: Part, judged: Blocks, trim: Trim, *, keep: Keep
) -> Rows:
    """Parse a side's answers that have to be read, without their rows that are settled."""
    of_side = judged.unread[judged.unread["side"] == trim.side]
    found = _chosen(context, side, part, of_side)
    left_over = None if found is None else found.mapInArrow(trim, LINES)
    return parsed(context, side, trim.side, part, left_over, keep=keep)


def _chosen(context: Context, side: Side, part: Part, answers: pd.DataFrame) -> DataFrame | None:
    """Return the lines of these answers, None where there are none."""
    found = lines(context, side, part, of=set(answers["bronze_file"]))
    if found is None:
        return None
    places = answers[["bronze_file", "mark"]].itertuples(index=False)
    wanted = local_frame(context.spark, [list(place) for place in places], tallies.MARKED)
    marked = found.select("bronze_file", _mark(), "value")
    chosen = marked.join(F.broadcast(wanted), on=list(ANSWER[1:]), how="left_semi")
    return chosen.select(*LINES.fieldNames())


def _block(id_column: str) -> Column:
    return F.col(id_column).bitwiseAND(-tallies.BLOCK)
