"""Compares gold with the exchange's own bars and says, in a certificate, how it came out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from jobs import views
from jobs.context import Context
from jobs.options import Selection
from jobs.reconciliation.kept import keeping
from jobs.reconciliation.ledger import About, append
from lake.clock import EPOCH, to_iso
from lake.errors import GateError
from lake.storage import Slice
from lake.tables import GOLD_OHLCV, OPS_RECONCILIATION
from transform.reconciliation import candles as reconcile
from transform.reconciliation.certificates import Keep

log = logging.getLogger(__name__)
CHECK = "bars"
#: So many differences are printed; all causes are counted.
SHOWN = 20
Listing = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a comparison came to: a row an instrument and interval, and the first differences."""

    window: tuple[datetime, datetime]
    totals: Sequence[Row]
    differences: Sequence[Row]

    @property
    def counts(self) -> dict[str, int]:
        """Return the sums over all instruments."""
        names = ("compared", "equal", "equal_after_rounding", "different", "unexplained")
        return {name: sum(row[name] for row in self.totals) for name in names}

    def require(self) -> None:
        """Raise GateError where a difference is unexplained."""
        unexplained = self.counts["unexplained"]
        if unexplained:
            raise GateError(
                f"{unexplained} differences from the exchange's own bars are unexplained",
                where=OPS_RECONCILIATION.name,
                hint="The certificate above names them; compare bronze with the exchange's answer.",
            )


def certify(context: Context, selection: Selection, listings: Sequence[Listing]) -> Certificate:
    """Compare the candles of the selection with the exchange's bars, and keep the outcome.

    Instruments of which no trade is held are not compared; bars that the exchange published off
    the grid or cut short are named.
    """
    window = (selection.start or EPOCH, selection.end or context.clock.now())
    totals: list[Row] = []
    differences: list[Row] = []
    for exchange, kind in sorted({(exchange, kind) for exchange, kind, _ in listings}):
        rules = reconcile.RULES.get((exchange, kind))
        names = sorted(
            name for venue, segment, name in listings if (venue, segment) == (exchange, kind)
        )
        if rules is None:
            log.info("%s %s has no rule of equality and is not certified", exchange, kind)
            continue
        compared = _compare(context, Slice(((exchange, kind),), (), tuple(names)), window, rules)
        totals += compared.totals
        differences += compared.differences
    return Certificate(window, totals, differences[:SHOWN])


def _compare(
    context: Context,
    within: Slice,
    window: tuple[datetime, datetime],
    rules: tuple[reconcile.Rule, ...],
) -> Certificate:
    with keeping() as keep:
        newest = views.published(context).where(within.predicate())
        theirs = keep(_inside(newest, "open_time", window))
        intervals = tuple(
            row[0]
            for row in theirs.select("bar_interval").distinct().orderBy("bar_interval").collect()
        )
        known = tuple(name for name in intervals if name in context.settings.gold.bar_intervals)
        if not known:
            return Certificate(window, [], [])
        ours = views.ohlcv_filled(context, known).where(within.predicate())
        held = context.tables.read(GOLD_OHLCV).where(within.predicate()).select("instrument")
        loaded = theirs.join(held.distinct(), "instrument", "left_semi")
        odd = theirs.join(held.distinct(), "instrument", "left_anti").where("size(findings) > 0")
        bars = loaded.unionByName(odd).where(F.col("bar_interval").isin(*known))
        inside = _inside(ours, "bar_start", window)
        comparison = reconcile.compare(inside, bars, rules, keep=keep)
        return _kept(context, comparison, window, keep)


def _kept(
    context: Context,
    comparison: reconcile.Comparison,
    window: tuple[datetime, datetime],
    keep: Keep,
) -> Certificate:
    differences = keep(comparison.differences)
    about = About(CHECK, "ohlcv", "gold", "published", window)
    rows = append(context, about, comparison.totals, reconcile.evidence(differences))
    order = ("exchange", "kind", "instrument", "bar_interval", "bar_start", "field")
    return Certificate(window, rows, differences.orderBy(*order).limit(SHOWN).collect())


def _inside(bars: DataFrame, start: str, window: tuple[datetime, datetime]) -> DataFrame:
    """Keep the bars that open in the window; one that goes on beyond its end is left out."""
    return bars.where((F.col(start) >= F.lit(window[0])) & (F.col(start) < F.lit(window[1])))


def print_certificate(certificate: Certificate, out: TextIO) -> None:
    """Print a certificate: a line an instrument and interval, then the differences."""
    start, end = (to_iso(moment)[:16] + "Z" for moment in certificate.window)
    out.write(f"certificate {start} to {end}: candles against the exchange's own bars\n")
    if not certificate.totals:
        out.write("  nothing to compare: no bars of the exchange, or none of our own, are held\n")
    out.writelines(f"  {_line(row)}\n" for row in certificate.totals)
    out.writelines(
        f"    {row['bar_start']:%Y-%m-%dT%H:%M:%S}Z {row['field']}: ours {row['ours']},"
        f" theirs {row['theirs']} ({row['cause']})\n"
        for row in certificate.differences
    )


def _line(row: Row) -> str:
    settled = row["equal"] + row["equal_after_rounding"]
    derivable = row["compared"] - row["not_derivable"]
    share = f"{100 * settled / derivable:.2f} %" if derivable else "-"
    causes: dict[str, Any] = row["causes"]
    told = ", ".join(f"{cause} {count}" for cause, count in sorted(causes.items())) or "none"
    return (
        f"{row['exchange']} {row['kind']} {row['instrument']} {row['bar_interval']}:"
        f" {row['compared']} fields compared, {row['equal']} equal,"
        f" {row['equal_after_rounding']} equal after rounding,"
        f" {row['not_derivable']} not derivable, {row['different']} different,"
        f" {row['unexplained']} unexplained: {share}."
        f" Causes: {told}"
    )
