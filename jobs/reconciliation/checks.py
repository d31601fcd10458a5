"""The checks between two sources: which sides stand against one another, and over which window."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from jobs.context import Context
from jobs.incidents import memory
from jobs.options import Selection
from jobs.reconciliation import universe
from jobs.reconciliation.compared import keep_compared
from jobs.reconciliation.download import download
from jobs.reconciliation.kept import keeping
from jobs.reconciliation.ledger import About, append
from jobs.reconciliation.settled.reading import read_both
from jobs.reconciliation.sides import PRINTS, STREAMED, Part, Side, claims_of, held, refills
from jobs.silver import FACTS
from lake.bronze import Dataset
from lake.errors import UsageError
from lake.storage import Slice
from lake.tables import OPS_CONTINUITY
from transform.reconciliation import prints
from transform.reconciliation.attribution import Frame, Source
from transform.reconciliation.evidence import Evidence
from transform.reconciliation.subjects import SUBJECTS

log = logging.getLogger(__name__)

Check = Literal["stream", "daily", "archive"]
Download = Literal["always", "missing", "never"]
Window = tuple[datetime, datetime]
#: What is held against what: the left side is the one that is being checked.
AGAINST: Mapping[Check, Sequence[tuple[Source, Source]]] = MappingProxyType(
    {
        "stream": (("live", "rest"),),
        "daily": (("live", "rest"), ("live", "archive")),
        "archive": (("rest", "archive"),),
    }
)
DATASETS: tuple[Dataset, ...] = (*PRINTS, "klines")
#: So many differences of a comparison are printed; all are kept.
SHOWN = 10
#: Deribit has no bulk archive.
ARCHIVED = ("binance",)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one comparison came to.

    Attributes:
        about: what was compared.
        rows: its certificates.
        differences: a few rows of evidence, the open ones first.
    """

    about: About
    rows: Sequence[Row]
    differences: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Plan:
    """A check, its window, and how its sides are had.

    Attributes:
        region: of the stream's collectors; empty is all.
        download: when the exchange is asked anew: `always` into a place apart and only that is
            compared; `missing` where bronze holds nothing of the window; or `never`.
    """

    check: Check
    window: Window
    region: str
    download: Download


def usual_download(check: Check) -> Download:
    """Return when a check asks the exchange, where nobody says."""
    return "always" if check == "stream" else "missing"


def window_of(check: Check, at: datetime) -> Window:
    """Return what a check looks at when it runs at a moment: whole minutes, or the day before."""
    if check == "stream":
        minute = at.replace(second=0, microsecond=0)
        return minute - timedelta(minutes=10), minute - timedelta(minutes=5)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - DAY, midnight


def run(context: Context, plan: Plan, selection: Selection) -> Iterator[Outcome]:
    """Compare side after side, and keep what each comparison comes to.

    Raises:
        UsageError: of the side that is checked, bronze holds nothing of the window.
    """
    compared = 0
    for segment in selection.segments:
        for dataset in selection.datasets or DATASETS:
            if dataset not in DATASETS:
                continue
            is_streamed = dataset == "klines" and AGAINST[plan.check][0][0] == "live"
            interval = STREAMED if is_streamed else ""
            part = Part(FACTS[dataset], segment, plan.window, interval)
            for left, right in AGAINST[plan.check]:
                checked = _checked(context, plan, left)
                is_there = right != "archive" or segment.exchange in ARCHIVED
                if not is_there or not any(held(checked, part).values()):
                    continue
                other = _other_side(context, plan, part, right)
                if right == "archive" and not any(held(other, part).values()):
                    log.warning("%s holds nothing of %s: not compared", right, dataset)
                    continue
                compared += 1
                yield _compare(context, plan, part, checked, other)
    if not compared:
        raise _nothing(plan)


def _checked(context: Context, plan: Plan, source: Source) -> Side:
    return Side(source, (context.store,), plan.region if source == "live" else "")


def _compare(context: Context, plan: Plan, part: Part, checked: Side, other: Side) -> Outcome:
    dataset = part.fact.dataset
    about = About(plan.check, dataset, checked.name, other.name, plan.window)
    edge = timedelta(seconds=context.settings.reconcile.edge_seconds)
    frame = Frame(checked.source, other.source, plan.window, edge)
    with keeping() as keep:
        both = read_both(context, (checked, other), part, keep=keep)
        left, right = both.left, both.right
        evidence = Evidence(
            claims_of(context, [*left.claims, *right.claims, *refills(context.store, part)]),
            keep(left.rejected.unionByName(right.rejected)),
            memory.current(context),
        )
        made = prints.compare(
            left.valid,
            right.valid,
            SUBJECTS[dataset],
            frame,
            evidence,
            keep=keep,
            ledger=_ledger(context, part) if plan.check == "daily" else None,
            settled=both.settled,
        )
        totals, differences = made.totals, made.differences
        if _is_full(plan, other):
            names = universe.absent(context, part, [*left.claims, *right.claims])
            totals = universe.with_certificates(context, totals, part, names)
            differences = universe.with_evidence(context, differences, part, names)
        differences = keep(differences)
        rows = append(context, about, totals, differences)
        is_whole = both.settled is None
        keep_compared(context, about, part.segment, made.pairs, rows, is_whole=is_whole)
        return Outcome(about, rows, ordered(differences).limit(SHOWN).collect())


def _is_full(plan: Plan, other: Side) -> bool:
    """Tell whether a check wants a word of every instrument: REST answers of quiet ones too."""
    return plan.check == "daily" and other.source == "rest"


def _ledger(context: Context, part: Part) -> DataFrame:
    of_part = Slice(((part.segment.exchange, part.segment.kind),)).predicate()
    rows = context.tables.read(OPS_CONTINUITY).where(of_part)
    return rows.where(F.col("dataset") == part.fact.dataset)


def _other_side(context: Context, plan: Plan, part: Part, source: Source) -> Side:
    """Return the side that is compared with; what bronze has not of it is downloaded apart."""
    ours = Side(source, (context.store,))
    is_held = plan.download == "missing" and any(held(ours, part).values())
    if plan.download == "never" or is_held:
        return ours
    place = download(context, source, part)
    return Side(source, (place,))


def ordered(differences: DataFrame) -> DataFrame:
    """Return differences in the order in which people look at them: the open ones first."""
    order = ("is_explained", "exchange", "kind", "instrument", "bar_interval", "first_id", "field")
    return differences.orderBy(*order)


def _nothing(plan: Plan) -> UsageError:
    start, end = plan.window
    return UsageError(
        f"bronze holds nothing of {AGAINST[plan.check][0][0]} from {start:%Y-%m-%dT%H:%M}Z to"
        f" {end:%Y-%m-%dT%H:%M}Z: there is nothing to check",
        hint="Name a window with --start and --end, or the moment of the check with --at.",
    )
