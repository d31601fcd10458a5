"""A batch of bronze on its way to silver: parsed, and counted once by claim, day and listing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Protocol

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from expectations import bronze, gate
from expectations.facts import breaks_any
from expectations.rules import admitting
from jobs.context import Context
from jobs.other_bars import other_bars
from jobs.streams import KEPT, exchanges_in
from lake.bronze import Dataset
from lake.storage import IdRange, Slice, Transaction
from lake.tables import SILVER_INSTRUMENTS, Table
from transform import envelopes, other_klines, rows
from transform.chains import Chain, link_aggregates
from transform.parsing import Parser, parse


class Suite(Protocol):
    """Gives the rules of a batch; with `reduced`, no key may repeat in it."""

    def __call__(self, *, reduced: bool = False) -> gate.Suite:
        """Return the suite."""


Store = Callable[["Context", "Fact", "Parsed", Slice, Transaction], None]
#: Neighbouring days are searched too: two sources may put one print on both sides of midnight.
ONE_DAY = timedelta(days=1)
#: Of the envelopes of a batch whose rows stay in memory from the start.
KEPT_CHARACTERS = 32_000_000


@dataclass(frozen=True, slots=True)
class Fact:
    """A silver table of facts: what orders its rows, what gates it, how its rows are stored."""

    dataset: Dataset
    table: Table
    id_column: str
    suite: Suite
    store: Store
    in_ledger: bool


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed batch, and what one pass over its lines and one over its rows counted.

    Attributes:
        answers: one row an answer.
        candidates: all rows, with their faults.
        valid: rows of the table's schema.
        refused: the other rows, as `ops.quarantine` keeps them.
        facts: counts by claim, day and listing.
        claims: the keys of the batch's bronze files, and of those that packed answers stand for.
        sound_answers: how many answers there are, None where one breaks a rule of bronze.
    """

    answers: DataFrame
    candidates: DataFrame
    valid: DataFrame
    refused: DataFrame
    facts: Sequence[Row]
    claims: tuple[str, ...]
    sound_answers: int | None

    def keep(self) -> None:
        """Keep the rows in memory while the batch is in use: they are read more than twice."""
        if not self.candidates.is_cached:
            self.candidates.persist(KEPT)

    @property
    def rows(self) -> int:
        """All candidates."""
        return sum(fact["rows"] for fact in self.facts)

    @property
    def rejected(self) -> int:
        """Candidates with a fault."""
        return sum(fact["rejected"] for fact in self.facts)

    @property
    def good(self) -> Sequence[Row]:
        """The facts of groups that hold a valid row."""
        return [fact for fact in self.facts if fact["id_lowest"] is not None]

    @property
    def is_unbroken(self) -> bool:
        """Whether each listing's valid rows are one chain of ids: no repeat, nothing missing."""
        listings: dict[tuple[str, ...], list[Row]] = {}
        for fact in self.good:
            key = (fact["exchange"], fact["kind"], fact["instrument_uid"])
            listings.setdefault(key, []).append(fact)
        chains = [Chain.of("id", listed) for listed in listings.values()]
        return all(chain is not None and chain.is_unbroken for chain in chains)


@contextmanager
def parsed(
    context: Context, fact: Fact, lines: DataFrame, *, of: Sequence[str] = ()
) -> Iterator[Parsed]:
    """Parse lines and count them; rows that are read more than twice stay in memory while in use.

    `of` leaves aside what packed files hold of any other instrument.

    A sound batch is parsed once to be counted and once more to be written: its bronze files never
    change, and parsing is cheaper than keeping the rows. A small one is kept: to plan and compile
    its parsing again would take longer.
    """
    answers = envelopes.read(lines)
    if of:
        answers = answers.where(F.col("packed_as").isNull() | F.col("instrument").isin(*of))
    candidates = candidates_of(context, fact, answers, exchanges_in(context, fact.dataset))
    latest = gate.latest_plausible(context.clock.now())
    told = _count_answers(context, fact, answers, latest)
    if told.characters <= KEPT_CHARACTERS:
        candidates.persist(KEPT)
    facts = _count(context, fact, candidates, latest)
    batch = Parsed(
        answers,
        candidates,
        rows.valid(candidates, fact.table.schema),
        rows.refused(candidates),
        facts,
        told.claims,
        told.sound_answers,
    )
    if batch.rejected or not batch.is_unbroken:
        batch.keep()
    try:
        yield batch
    finally:
        candidates.unpersist()


def candidates_of(
    context: Context, fact: Fact, answers: DataFrame, exchanges: Collection[str]
) -> DataFrame:
    """Parse answers of these exchanges into candidates, each row from the file that claims it."""
    candidates = parse(
        fact.dataset,
        answers,
        context.tables.read(SILVER_INSTRUMENTS),
        exchanges=exchanges,
        others=_other_parsers(context, fact),
    )
    return rows.claimed(candidates, fact.id_column) if fact.in_ledger else candidates


def slice_of(batch: Parsed, fact: Fact) -> Slice | None:
    """Name in literals all that the valid rows of a batch can touch; None where there are none."""
    good = batch.good
    if not good:
        return None
    days = {row["year"] * 10_000 + row["month"] * 100 + row["day"] for row in good}
    return Slice(
        venues=tuple(sorted({(row["exchange"], row["kind"]) for row in good})),
        days=tuple(sorted(days | {near for day in days for near in _neighbours(day)})),
        instruments=tuple(sorted({row["instrument"] for row in good})),
        ids=IdRange(
            fact.id_column,
            min(row["id_lowest"] for row in good),
            max(row["id_highest"] for row in good),
        ),
    )


def _other_parsers(context: Context, fact: Fact) -> Mapping[str, Parser]:
    """Return what reads the bars of the exchanges that CCXT asks; nothing else is had of them."""
    if fact.dataset != "klines":
        return {}
    return {
        name: partial(other_klines.klines, exchange=name, read=other_bars)
        for name in context.settings.exchanges.others
    }


def admitted(context: Context, fact: Fact, suite: gate.Suite) -> gate.Suite:
    """Return a suite that knows the exchanges that CCXT asks, where a dataset can be theirs."""
    others = context.settings.exchanges.others if fact.dataset == "klines" else ()
    return admitting(suite, tuple(others))


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a batch's names claim, how many sound answers it has, and how long it is.

    Attributes:
        sound_answers: None where one is unsound.
        characters: of all envelopes.
    """

    claims: tuple[str, ...]
    sound_answers: int | None
    characters: int


def _count_answers(context: Context, fact: Fact, answers: DataFrame, latest: datetime) -> _Answers:
    suite = admitted(context, fact, bronze.suite())
    counted = answers.agg(
        F.collect_set(envelopes.claim()).alias("claims"),
        F.count(F.lit(1)).alias("answers"),
        F.count_if(breaks_any(suite, latest=latest)).alias("broken"),
        F.coalesce(F.sum(F.length("envelope_text")), F.lit(0)).alias("characters"),
    ).collect()[0]
    sound = None if counted["broken"] else counted["answers"]
    return _Answers(tuple(sorted(counted["claims"])), sound, counted["characters"])


def _count(context: Context, fact: Fact, candidates: DataFrame, latest: datetime) -> Sequence[Row]:
    """Count the rows of a batch once, by claim, day and listing: a few rows."""
    good = F.col("is_sound")
    suite = admitted(context, fact, fact.suite())
    identity = ("exchange", "kind", "instrument", "instrument_uid")
    claim = envelopes.claim().alias("claim")
    grouped = candidates.groupBy(claim, *identity, "year", "month", "day")
    counts = [
        F.count(F.lit(1)).alias("rows"),
        F.count_if(~good).alias("rejected"),
        *link_aggregates("id", fact.id_column, fact.id_column, good),
        F.count_if(good & breaks_any(suite, latest=latest)).alias("broken"),
    ]
    if fact.dataset == "agg_trades":
        counts += link_aggregates("seq", "first_trade_seq", "last_trade_seq", good)
    return grouped.agg(*counts).collect()


def _neighbours(day: int) -> tuple[int, int]:
    """Return the dates, as yyyymmdd, before and after one."""
    here = date(day // 10_000, day // 100 % 100, day % 100)
    return int(f"{here - ONE_DAY:%Y%m%d}"), int(f"{here + ONE_DAY:%Y%m%d}")
