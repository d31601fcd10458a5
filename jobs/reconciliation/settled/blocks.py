"""Blocks of ids of which both sides say the same: settled without a look at their rows.

What is counted of a block is one row per answer (`tallies.TALLY`), a thousandth of the trades: it
is judged in the memory of the driver.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jobs.reconciliation.settled.tallies import ANSWER, QUOTES, STRANGE
from transform.reconciliation import checksums
from transform.reconciliation.checksums import LANES
from transform.reconciliation.pairs import SIDES
from transform.reconciliation.subjects import Subject

#: A block of one instrument.
PLACE = ("instrument", "block")
#: What both sides have to share, so that all their rows are the same.
_SAME = ("rows", *LANES, *QUOTES)
_REPEATS = tuple(f"{side}_repeats" for side in SIDES)


@dataclass(frozen=True, slots=True)
class Blocks:
    """What is known of two sides block by block.

    Attributes:
        same: blocks of which both sides say the same: `PLACE`, `rows`, `quotes`, `LANES`, the
            repeats of each side, `lowest` and `highest` id.
        unread: the answers (`ANSWER`) that have to be read row by row.
        unsettled: the other blocks that have to be, by instrument.
    """

    same: pd.DataFrame
    unread: pd.DataFrame
    unsettled: Mapping[str, frozenset[int]]


def strange(tallied: pd.DataFrame) -> pd.DataFrame:
    """Return the answers (`ANSWER`) that are not written as usual."""
    return tallied.loc[tallied["block"] == STRANGE, list(ANSWER)].drop_duplicates()


def judged(tallied: pd.DataFrame, touched: Collection[tuple[str, int]]) -> Blocks:
    """Judge each block of each instrument.

    Args:
        tallied: rows of `TALLY`, of both sides.
        touched: instruments and blocks in which answers that are strange have rows.
    """
    usual = tallied[tallied["block"] != STRANGE]
    left, right = (_of_side(usual[usual["side"] == side]) for side in SIDES)
    same = _same(left, right).difference(_places(touched))
    places = left.index.union(right.index)
    counting = sum(side["counting"].reindex(places, fill_value=0) for side in (left, right))
    apart = places[counting == 0].difference(_places(touched))
    left_open = places.difference(same).difference(apart)
    is_open = pd.MultiIndex.from_frame(usual[list(PLACE)]).isin(left_open)
    unread = pd.concat([usual.loc[is_open, list(ANSWER)], strange(tallied)])
    repeats = {
        name: side.loc[same, "repeats"] for name, side in zip(_REPEATS, (left, right), strict=True)
    }
    return Blocks(
        left.loc[same].assign(**repeats).reset_index(),
        unread.drop_duplicates(),
        _by_instrument(left_open),
    )


def counted(blocks: Blocks, subject: Subject) -> Iterator[dict[str, int | str]]:
    """Count what the settled blocks come to, an instrument each.

    The numbers and the hash of `certificates.SETTLED`.
    """
    beside = len(subject.where_sent)
    always = len(subject.fields) - beside
    for instrument, same in blocks.same.groupby("instrument", sort=True):
        rows, quotes = int(same["rows"].sum()), int(same["quotes"].sum())
        lanes = [int(same[name].astype(np.uint64).sum()) for name in LANES]
        yield {
            "instrument": str(instrument),
            "hash": checksums.written(lanes),
            "rows": rows,
            "compared": rows * always + quotes,
            "not_derivable": rows * beside - quotes,
            **{name: int(same[name].sum()) for name in _REPEATS},
            "lowest": int(same["lowest"].min()),
            "highest": int(same["highest"].max()),
        }


def _same(left: pd.DataFrame, right: pd.DataFrame) -> pd.Index:
    # an inner join: any other would make floating numbers of sums, which then compare as equal
    both = left.join(right, how="inner", lsuffix="_left", rsuffix="_right")
    same = both["is_whole_left"] & both["is_whole_right"]
    for name in _SAME:
        same &= both[f"{name}_left"] == both[f"{name}_right"]
    return both.index[same]


def _by_instrument(places: pd.Index) -> Mapping[str, frozenset[int]]:
    found: dict[str, set[int]] = {}
    for instrument, block in places:
        found.setdefault(instrument, set()).add(int(block))
    return {instrument: frozenset(of) for instrument, of in found.items()}


def _places(touched: Collection[tuple[str, int]]) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(list(touched), names=list(PLACE))


def _of_side(tallied: pd.DataFrame) -> pd.DataFrame:
    """Add up a side's answers by block, one row a block.

    It has the columns of `_SAME`, and

    - `repeats`: rows that another file of the side says over again, which count once;
    - `is_whole`: its ids are distinct, all its rows lie in the window, and all are sound;
    - `counting`: rows that say something to the check: in the window or around it, or unsound;
    - `lowest` and `highest` id.
    """
    by_file = _added(tallied, [*PLACE, "bronze_file"])
    by_place = by_file.groupby(list(PLACE))
    # a file that is there twice, as one that was published anew: each says the same of the block
    spread = by_place[["lowest", "highest", *_SAME]].agg(["min", "max"])
    is_alike = np.logical_and.reduce(
        [spread[name, "min"] == spread[name, "max"] for name in ("lowest", "highest", *_SAME)]
    )
    is_repeated = is_alike & (by_place.size() > 1) & by_place["is_whole"].all()
    once = _added(tallied, list(PLACE))
    first = by_place.first().reindex(once.index)
    counted = {name: np.where(is_repeated, first[name], once[name]) for name in _SAME}
    return once.assign(
        **counted,
        repeats=once["rows"] - counted["rows"],
        is_whole=once["is_whole"] | is_repeated,
    )


def _added(tallied: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """Add up answers by key; its ids are distinct if each begins beyond the one before."""
    ordered = tallied.sort_values([*key, "lowest", "highest"])
    series = [ordered[name] for name in key]
    reached = ordered.groupby(key, sort=False)["highest"].cummax().groupby(series).shift()
    # no answer came before the first: not beyond nothing is false
    alone = ordered["is_chain"] & ordered["is_sound"] & ~(ordered["lowest"] <= reached)
    grouped = ordered.assign(alone=alone).groupby(key)
    summed = grouped[["inside", "around", *_SAME]].sum()
    whole = grouped["alone"].all() & (summed["inside"] == summed["rows"])
    # a row that is not sound counts wherever it lies: it explains why another side has one
    counting = summed["around"] + ~grouped["is_sound"].all()
    ends = grouped.agg(lowest=("lowest", "min"), highest=("highest", "max"))
    return summed.assign(is_whole=whole, counting=counting, **ends)
