"""From when on the stretches of a series may be other than they are: by what they follow from.

They are told anew from there only, so a publication costs what is new, not what is held. Beside
them stands what they followed from; where that can't be compared they are told anew as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pyspark.sql import Row
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs import views
from jobs.context import Context
from jobs.publishing.bars import NEVER, Bound, Published
from lake.frames import local_frame
from lake.tables import OPS_CONTINUITY, SILVER_INSTRUMENTS, SILVER_KLINES
from serve.database.intervals import DAY_MS
from serve.publishing.publisher import Publisher

#: Halts lie between two of the exchange's bars: of those that lie further apart all are read.
LOOK_BACK = 2 * DAY_MS
IDENTITY = ("exchange", "kind", "instrument_uid")
SERIES = (*IDENTITY, "bar_interval", "source")
MOMENTS = T.StructType(
    [
        *(T.StructField(name, T.StringType()) for name in SERIES),
        T.StructField("moment", T.LongType()),
    ]
)
Identity = tuple[str, ...]


class Basis(NamedTuple):
    """What the stretches of a pair follow from, beside its bars: versions, and times in ms."""

    continuity: int
    klines: int
    ended: int
    mark: int

    def __str__(self) -> str:
        """Return it as it stands in the database."""
        return " ".join(f"{name}={value}" for name, value in self._asdict().items())

    @staticmethod
    def of(text: str) -> Basis | None:
        """Return what stands in the database; None where it was written in another way."""
        told = dict(word.split("=", 1) for word in text.split() if "=" in word)
        return Basis(**{n: int(told[n]) for n in told}) if (*told,) == Basis._fields else None


class Proof(NamedTuple):
    """A held run or an open hole, by its times in ms."""

    identity: Identity
    dataset: str
    entry: str
    since: int
    until: int


class Moments(NamedTuple):
    """Since when proofs and the exchange's bars differ from those of an older version, in ms.

    By listing: what is not named is as it was. `version` is the oldest that can be compared with.
    """

    version: int
    since: Mapping[Identity, int]


def identity_of(bound: Bound) -> Identity:
    """Return what the lake knows the listing of a pair by."""
    name = bound.pair.name
    return (name.exchange, name.kind, name.instrument_uid)


def bases(context: Context, published: Published, continuity: int) -> Mapping[Bound, Basis]:
    """Return what the stretches of each pair follow from now; `continuity` is a version."""
    klines = context.tables.version(SILVER_KLINES)
    ended = F.max(F.unix_millis(F.least("expiry", "delisted_at")))
    listings = context.tables.read(SILVER_INSTRUMENTS).groupBy(*IDENTITY).agg(ended).collect()
    ends = {tuple(row[:3]): row[3] for row in listings if row[3] is not None}
    found = {}
    for bound in published.bounds:
        name = bound.pair.name
        mark = published.marks.get((name.exchange, name.kind, name.instrument), NEVER)
        found[bound] = Basis(continuity, klines, ends.get(identity_of(bound), NEVER), mark)
    return found


async def moments(
    publisher: Publisher,
    context: Context,
    now: Mapping[Bound, Basis],
    proofs_held: int | None,
    earliest: Mapping[tuple[int, int], int],
) -> Mapping[Bound, int]:
    """Return since when stretches may be other, in ms, of the pairs of which they may.

    Args:
        publisher: open; `stretches` is as the last publication left it.
        context: the run.
        now: what they follow from now.
        proofs_held: the version of `ops.continuity` that `stretches` is.
        earliest: where bars begin that are new or other, by series_id and bar_minutes.

    Returns:
        `NEVER` where all of a pair's stretches may be other.
    """
    before = {bound: Basis.of(bound.held.runs_of) for bound in now if bound.held}
    known = [basis for basis in before.values() if basis is not None]
    if not known:
        return dict.fromkeys(now, NEVER)
    (newest, *_) = now.values()
    proofs = Moments(newest.continuity, {})
    if proofs_held is not None and any(one.continuity == proofs_held for one in known):
        proofs = Moments(proofs_held, await _of_proofs(publisher, context, newest.continuity))
    klines = _of_klines(context, min(one.klines for one in known), newest.klines)
    found = {}
    for bound, basis in now.items():
        moved = [earliest[bound.key]] if bound.key in earliest else []
        moved += _moved(bound, before.get(bound), basis, (proofs, klines))
        if moved:
            found[bound] = min(moved)
    return found


def _moved(
    bound: Bound, before: Basis | None, basis: Basis, of: tuple[Moments, Moments]
) -> Sequence[int]:
    if bound.held is None or before is None or before.ended != basis.ended:
        return [NEVER]
    proofs, klines = of
    found = []
    if (before.mark, bound.held.bars_until) != (basis.mark, bound.until):
        found = [before.mark, bound.held.bars_until]
    if before.continuity != basis.continuity:
        can_tell = before.continuity == proofs.version
        found += _of_listing(proofs, bound) if can_tell else [NEVER]
    if before.klines != basis.klines:
        can_tell = before.klines >= klines.version
        found += _of_listing(klines, bound) if can_tell else [NEVER]
    return found


def _of_listing(of: Moments, bound: Bound) -> Sequence[int]:
    moment = of.since.get(identity_of(bound))
    return [] if moment is None else [moment]


async def _of_proofs(
    publisher: Publisher, context: Context, version: int
) -> Mapping[Identity, int]:
    """Compare held runs and open holes with those that the database holds."""
    columns = (*IDENTITY, "dataset", "entry", "proved_from", "proved_until")
    listed = ", ".join(columns)
    held = await publisher.rows(
        f"SELECT {listed} FROM stretches WHERE entry = 'held' OR state = 'open'"  # noqa: S608
    )
    rows = context.tables.read_version(OPS_CONTINUITY, version)
    times = (F.unix_millis("proved_from"), F.unix_millis("proved_until"))
    told = rows.where("entry = 'held' OR state = 'open'").select(*columns[:5], *times).collect()
    was, now = (Counter(Proof(tuple(row[:3]), *row[3:]) for row in some) for some in (held, told))
    return differing([*(was - now)], [*(now - was)])


def differing(was: Iterable[Proof], now: Iterable[Proof]) -> Mapping[Identity, int]:
    """Return since when proofs differ: a held run that only grew differs from its old end on.

    Args:
        was: runs and holes that are no more.
        now: those that were not.
    """
    ends: dict[tuple[Identity, str, str, int], list[tuple[bool, int]]] = {}
    for is_new, proofs in ((False, was), (True, now)):
        for one in proofs:
            ends.setdefault(one[:-1], []).append((is_new, one.until))
    found: dict[Identity, int] = {}
    for (identity, _, entry, since), two in ends.items():
        has_grown = entry == "held" and sorted(is_new for is_new, _ in two) == [False, True]
        moment = min(until for _, until in two) if has_grown else since
        found[identity] = min(moment, found.get(identity, moment))
    return found


def _of_klines(context: Context, first: int, last: int) -> Moments:
    """Tell since when the exchange's bars may show other halts than at an older version."""
    if first == last:
        return Moments(last, {})
    feed = context.tables.changed_between(SILVER_KLINES, first + 1, last)
    if feed is None:
        return Moments(last, {})
    told = feed.groupBy(*SERIES).agg(F.min(F.unix_millis("open_time"))).collect()
    if not told:
        return Moments(first, {})
    linked = _linked(context, told)
    found: dict[Identity, int] = {}
    for *key, moment in told:
        identity = tuple(key[:3])
        since = moment - LOOK_BACK if tuple(key) in linked else NEVER
        found[identity] = min(since, found.get(identity, since))
    return Moments(first, found)


def _linked(context: Context, told: Sequence[Row]) -> set[tuple[str, ...]]:
    """Return the series that have a bar shortly before the moment (ms) that is told of each."""
    moments = F.broadcast(local_frame(context.spark, [tuple(row) for row in told], MOMENTS))
    since = min(row[-1] for row in told) - LOOK_BACK
    rows = context.tables.read(SILVER_KLINES).where(views.opened_since(since))
    opened = F.unix_millis("open_time")
    is_near = (opened < F.col("moment")) & (opened >= F.col("moment") - LOOK_BACK)
    near = rows.join(moments, list(SERIES), "inner").where(is_near)
    return {tuple(row) for row in near.select(*SERIES).distinct().collect()}
