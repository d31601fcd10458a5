"""The ledger of continuity: which ids are held, which are missing, until when all is complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from jobs import longer_runs, off_book
from jobs.batches import Fact, Parsed
from jobs.context import Context
from jobs.streams import KEPT
from lake.bronze import ALL_INSTRUMENTS, BronzeName, parse_name
from lake.clock import from_millis
from lake.frames import local_frame
from lake.schemas import CONTINUITY, IDENTITY, WATERMARKS
from lake.storage import IdRange, Slice, quoted
from lake.tables import OPS_CONTINUITY, SILVER_INSTRUMENTS
from transform import continuity, envelopes, missing
from transform.chains import Chain

#: The names under which rows were turned away, and the ids that they claim.
CLAIMED = T.StructType(
    [
        T.StructField("claim", T.StringType()),
        *IDENTITY,
        CONTINUITY["first_id"],
        CONTINUITY["last_id"],
    ]
)
INVALIDATED = "invalidated_by_the_exchange"
Listing = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Claim:
    """What the name of a bronze file, or of one that is packed, claims; what its rows amount to."""

    key: str
    name: BronzeName
    uid: str
    ids: Chain | None
    trades: Chain | None

    @property
    def listing(self) -> Listing:
        """Exchange, kind and instrument."""
        return (self.name.exchange, self.name.kind, self.name.instrument)

    @property
    def is_whole(self) -> bool:
        """Whether each id that was asked for came, once."""
        held = self.name.coverage
        if held.first_id > held.last_id:
            return True
        if self.ids is None or not self.ids.is_unbroken:
            return False
        covers = self.ids.lowest <= held.first_id and self.ids.highest >= held.last_id
        return covers and (self.trades is None or self.trades.is_unbroken)

    def row(self, dataset: str) -> tuple[object, ...]:
        """Return the claim as a row of `continuity.CLAIMS`."""
        held = self.name.coverage
        trades = self.trades or self.ids
        return (
            self.name.exchange,
            self.name.kind,
            self.name.instrument,
            self.uid,
            dataset,
            held.first_id,
            held.last_id,
            trades.lowest if trades else None,
            trades.highest if trades else None,
            from_millis(held.from_ms),
            from_millis(held.until_ms),
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What the files of a batch claim, and what the ledger has of their instruments."""

    claims: Sequence[Claim]
    before: Sequence[Row]


def look(context: Context, fact: Fact, batch: Parsed) -> Told:
    """Read what `update` needs; silver may be written meanwhile, the ledger may not."""
    claims = list(_claims(context, batch))
    if not claims:
        return Told((), ())
    current = context.tables.read(OPS_CONTINUITY).where(_scope(fact.dataset, claims))
    return Told(claims, current.select(*CONTINUITY.fieldNames()).collect())


def update(context: Context, fact: Fact, batch: Parsed, told: Told) -> None:
    """Add what the files of a batch claim to the ledger; the same files again change nothing."""
    claims = told.claims
    if not claims:
        return
    _add(context, fact, batch, told)
    numbered = [claim for claim in _of_futures(claims) if claim.trades is not None]
    if fact.dataset == "agg_trades" and numbered:
        lowest = min(claim.trades.lowest for claim in numbered if claim.trades)
        highest = max(claim.trades.highest for claim in numbered if claim.trades)
        again = off_book.judged_again(context, _listings(numbered), (lowest, highest))
        if again is not None:
            _write(context, again.merged, again.before, again.scope)


def _of_futures(claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims of markets in which trade numbers go off the book."""
    return [
        claim
        for claim in claims
        if claim.name.exchange == "binance" and claim.name.kind in missing.OFF_BOOK_KINDS
    ]


def _listings(claims: Sequence[Claim]) -> Slice:
    return Slice(
        venues=tuple({(claim.name.exchange, claim.name.kind) for claim in claims}),
        instruments=tuple({claim.name.instrument for claim in claims}),
    )


def _add(context: Context, fact: Fact, batch: Parsed, told: Told) -> None:
    claims, before = told.claims, told.before
    scope = _scope(fact.dataset, claims)
    suspects = _suspects(claims, before)
    longer = None if suspects else _lengthened(fact.dataset, claims, before)
    if longer is not None:
        _replace_runs(context, longer, before, scope)
        return
    names = CONTINUITY.fieldNames()
    current = context.tables.read(OPS_CONTINUITY).where(scope)
    claimed = _frame(context, fact.dataset, claims)
    holes = _holes(context, fact, batch, suspects)
    _write(context, continuity.merge(current, claimed, holes).select(*names), before, scope)


def _write(context: Context, merged: DataFrame, before: Sequence[Row], scope: str) -> None:
    kept = merged.persist(KEPT)
    try:
        if Counter(kept.collect()) != Counter(before):
            context.tables.replace(kept, OPS_CONTINUITY, scope)
    finally:
        kept.unpersist()


def _lengthened(
    dataset: str, claims: Sequence[Claim], before: Sequence[Row]
) -> list[longer_runs.Run] | None:
    names = continuity.CLAIMS.fieldNames()
    told = [dict(zip(names, claim.row(dataset), strict=True)) for claim in claims]
    return longer_runs.lengthened(told, [_aware(row) for row in before])


def _aware(row: Row) -> longer_runs.Run:
    """Give the times, which Spark tells in the session's zone, their zone: UTC."""
    times = {name: row[name].replace(tzinfo=UTC) for name in ("proved_from", "proved_until")}
    return {**row.asDict(), **times}


def _replace_runs(
    context: Context, longer: Sequence[longer_runs.Run], before: Sequence[Row], scope: str
) -> None:
    """Write runs that only grew: each is known by its instrument and its first id."""
    first_ids = {run["first_id"] for run in longer}
    places = {longer_runs.place(run) for run in longer}
    # an older run of another instrument may begin with the same number
    others = [row for row in before if row["first_id"] in first_ids and row["entry"] == "held"]
    kept = [run for run in map(_aware, others) if longer_runs.place(run) not in places]
    names = CONTINUITY.fieldNames()
    rows = [tuple(run[name] for name in names) for run in (*longer, *kept)]
    listed = ", ".join(map(str, sorted(first_ids)))
    within = f"{scope} AND entry = 'held' AND first_id IN ({listed})"
    context.tables.replace(local_frame(context.spark, rows, CONTINUITY), OPS_CONTINUITY, within)


def marks(context: Context, table_name: str, within: Slice, until: datetime) -> DataFrame:
    """Return the complete-until marks of these instruments, as rows of `ops.watermarks`.

    The mark is the end of the newest run that is proved whole, in whole minutes, and never later
    than `until`.
    """
    held = context.tables.read(OPS_CONTINUITY).where(within.predicate()).where("entry = 'held'")
    newest = held.groupBy("exchange", "kind", "instrument").agg(F.max("proved_until").alias("end"))
    return newest.select(
        "exchange",
        "kind",
        "instrument",
        F.lit(table_name).alias("table_name"),
        F.date_trunc("minute", F.least("end", F.lit(until))).alias("complete_until"),
        F.lit(context.clock.now()).alias("updated_at"),
    ).select(*WATERMARKS.fieldNames())


def _claims(context: Context, batch: Parsed) -> Iterator[Claim]:
    uids = _uids(context, batch)
    facts: dict[str, list[Row]] = {}
    for fact in batch.facts:
        facts.setdefault(fact["claim"], []).append(fact)
    for key in batch.claims:
        name = parse_name(key)
        if name.instrument == ALL_INSTRUMENTS:
            continue
        rows = facts.get(key, [])
        trades = Chain.of("seq", rows) if rows and "seq_lowest" in rows[0] else None
        listing = (name.exchange, name.kind, name.instrument)
        uid = uids.get(listing, name.instrument)
        yield Claim(key, name, uid, Chain.of("id", rows), trades)


def _uids(context: Context, batch: Parsed) -> Mapping[Listing, str]:
    """Return each listing's uid: as its rows have it, else as the instruments tell."""
    told = {_listing(row): row["instrument_uid"] for row in batch.good}
    claimed = {_listing(parse_name(key)) for key in batch.claims}
    names = {instrument for *_, instrument in claimed - told.keys()} - {ALL_INSTRUMENTS}
    if not names:
        return told
    listed = ", ".join(quoted(name) for name in sorted(names))
    known = (
        context.tables.read(SILVER_INSTRUMENTS)
        .where(f"instrument IN ({listed})")
        .orderBy("valid_from")
        .select("exchange", "kind", "instrument", "instrument_uid")
        .collect()
    )
    return {_listing(row): row["instrument_uid"] for row in known} | told


def _listing(of: Row | BronzeName) -> Listing:
    return (of.exchange, of.kind, of.instrument)


def _suspects(claims: Sequence[Claim], current: Sequence[Row]) -> list[Claim]:
    """Return the claims in which, or at whose edge, an id or a trade number may be missing."""
    suspects = {claim.key for claim in claims if not claim.is_whole}
    ends = {
        (row["exchange"], row["kind"], row["instrument"], row["last_id"]): row["last_trade_seq"]
        for row in current
        if row["entry"] == "held"
    }
    for claim in claims:
        if claim.trades is not None and claim.ids is not None:
            ends[*claim.listing, claim.ids.highest] = claim.trades.highest
    for claim in claims:
        if claim.trades is None or claim.ids is None:
            continue
        before = ends.get((*claim.listing, claim.ids.lowest - 1))
        if before is not None and before + 1 != claim.trades.lowest:
            suspects.add(claim.key)
    return [claim for claim in claims if claim.key in suspects]


def _holes(context: Context, fact: Fact, batch: Parsed, suspects: Sequence[Claim]) -> DataFrame:
    if not suspects:
        return local_frame(context.spark, [], CONTINUITY)
    claims = _frame(context, fact.dataset, suspects)
    covers = [claim.name.coverage for claim in suspects]
    ids = IdRange(
        fact.id_column,
        min(cover.first_id for cover in covers) - 1,
        max(cover.last_id for cover in covers) + 1,
    )
    within = replace(_listings(suspects), ids=ids)
    held = context.tables.read(fact.table).where(within.predicate())
    rejected = _rejected(context, fact, batch, suspects)
    found = missing.missing(held, claims, rejected, fact.dataset)
    futures = [claim.name.coverage for claim in _of_futures(suspects)]
    if fact.dataset != "trades" or not futures:
        return found
    times = (min(one.from_ms for one in futures), max(one.until_ms for one in futures))
    return off_book.weighed(context, found, _listings(_of_futures(suspects)), times)


def _rejected(context: Context, fact: Fact, batch: Parsed, suspects: Sequence[Claim]) -> DataFrame:
    """Return the ids that were turned away; one that can't be read stands for its whole claim."""
    claims = [
        (claim.key, *claim.listing, claim.uid, held.first_id, held.last_id)
        for claim in suspects
        for held in [claim.name.coverage]
    ]
    claimed = local_frame(context.spark, claims, CLAIMED)
    refused = batch.candidates.where(~F.col("is_sound")).select(
        envelopes.claim().alias("claim"), F.col(fact.id_column).alias("id"), "faults"
    )
    invalidated = F.array_contains("faults", INVALIDATED)
    return refused.join(F.broadcast(claimed), "claim").select(
        *("exchange", "kind", "instrument", "instrument_uid"),
        F.coalesce("id", "first_id").alias("first_id"),
        F.coalesce("id", "last_id").alias("last_id"),
        F.when(invalidated, INVALIDATED).otherwise("quarantined").alias("cause"),
    )


def _frame(context: Context, dataset: str, claims: Sequence[Claim]) -> DataFrame:
    rows = [claim.row(dataset) for claim in claims]
    return local_frame(context.spark, rows, continuity.CLAIMS)


def _scope(dataset: str, claims: Sequence[Claim]) -> str:
    return f"dataset = {quoted(dataset)} AND {_listings(claims).predicate()}"
