"""Hold what was streamed, downloaded, archived and derived against one another, with certificates.

Run by `./spark-submit.sh reconcile --check stream`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import typer
from pyspark.sql import Row

from jobs.application import run_job
from jobs.context import Context, open_context, open_lake
from jobs.options import (
    Datasets,
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Selection,
    Sets,
    Start,
    select,
)
from jobs.reconciliation import candles, checks
from jobs.reconciliation.old_runs import forget_old
from jobs.reconciliation.printing import print_outcome
from jobs.reconciliation.report.gathering import Checked
from jobs.reconciliation.reporting import conclude
from jobs.reconciliation.voting import voted
from lake.clock import EPOCH
from lake.errors import UsageError
from lake.moment import moment
from lake.tables import GOLD_OHLCV, OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES

WRITES = (OPS_RECONCILIATION, OPS_RECONCILIATION_DIFFERENCES)


Check = Annotated[
    Literal["stream", "daily", "bars", "archive"],
    typer.Option(
        help="stream: what was streamed against REST, ten to five minutes ago; daily: against"
        " REST and the archive, the day before; archive: REST against the archive; bars: our"
        " candles against the exchange's."
    ),
]
At = Annotated[str | None, typer.Option("--at", help="The moment of the check; now by default.")]
Region = Annotated[str, typer.Option(help="Of the collectors; all by default.")]
Download = Annotated[
    checks.Download | None,
    typer.Option(
        help="Ask the exchange always, for what bronze is missing, or never. It lands apart"
        " from bronze. stream: always; else missing."
    ),
]
Page = Annotated[
    bool, typer.Option(help="Write a page of the outcome into the lake, below ops/qa/.")
]
Notebook = Annotated[
    bool | None,
    typer.Option(help="Run the notebook too, and keep its copy. stream, daily: yes; else no."),
]
#: Checks that run the notebook where nobody says.
NOTED = ("stream", "daily")


def reconcile(
    *,
    check: Check,
    at: At = None,
    region: Region = "",
    download: Download = None,
    report: Page = True,
    notebook: Notebook = None,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    datasets: Datasets = None,
    start: Start = None,
    end: End = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Compare two sides of a window row by row; what differs without a cause is exit code 3.

    Example: ./spark-submit.sh reconcile --check bars --start 2024-01-01 --end 2024-01-02
    """
    lake = open_lake(env, sets or ())
    now = moment(at or "", "--at") or lake.clock.now()
    named = moment(start or "", "--start"), moment(end or "", "--end")
    selection = select(
        lake.settings,
        exchange=exchange,
        kind=kind,
        instruments=instruments,
        start=start,
        end=end,
        datasets=datasets,
    )
    with open_context("reconcile", lake, writes=WRITES) as context:
        context.tables.ensure(*WRITES)
        forget_old(context)
        window = _window(check, selection, named, now)
        if check == "bars":
            rows = certify(context, selection)
        else:
            asked = download or checks.usual_download(check)
            rows = compare(context, checks.Plan(check, window, region, asked), selection)
        wanted = check in NOTED if notebook is None else notebook
        conclude(context, Checked(check, window, rows), report=report, notebook=wanted)


def certify(context: Context, selection: Selection) -> Sequence[Row]:
    """Compare our candles with the exchange's bars, and its publications with one another."""
    held = context.tables.read(GOLD_OHLCV).select("exchange", "kind", "instrument").distinct()
    listings = [
        (row["exchange"], row["kind"], row["instrument"])
        for row in held.collect()
        if any(
            (row["exchange"], row["kind"]) == (one.exchange, one.kind)
            and one.admits(row["instrument"])
            for one in selection.segments
        )
    ]
    certificate = candles.certify(context, selection, listings)
    candles.print_certificate(certificate, sys.stdout)
    rows = list(certificate.totals)
    for segment in selection.segments:
        outcome = voted(context, segment, certificate.window)
        if outcome is not None and outcome.rows:
            print_outcome(outcome, sys.stdout)
            rows += outcome.rows
    return rows


def compare(context: Context, plan: checks.Plan, selection: Selection) -> Sequence[Row]:
    """Compare two sources; return the certificates."""
    rows: list[Row] = []
    for outcome in checks.run(context, plan, selection):
        print_outcome(outcome, sys.stdout)
        rows += outcome.rows
    return rows


def _window(
    check: Check,
    selection: Selection,
    named: tuple[datetime | None, datetime | None],
    now: datetime,
) -> checks.Window:
    """Return the window that was named, or the check's own.

    The settings name a window to extract: of the checks, bars alone looks at all of that.

    Raises:
        UsageError: only one end was named.
    """
    if check == "bars":
        return selection.start or EPOCH, selection.end or now
    start, end = named
    if start is None and end is None:
        return checks.window_of(check, now)
    if start is None or end is None:
        raise UsageError("a check needs --start and --end, or neither")
    return start, end


if __name__ == "__main__":
    run_job(reconcile)
