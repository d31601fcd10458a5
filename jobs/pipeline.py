"""The main job: extract to bronze, compact to silver, derive gold, compare with the exchange.

Run by `./spark-submit.sh pipeline`.
"""

from __future__ import annotations

import sys

from jobs import certify, gold, instruments, silver
from jobs.application import run_job
from jobs.context import Context, exchanges_of, open_context, open_lake
from jobs.extraction import land
from jobs.options import (
    Datasets,
    End,
    Env,
    Exchange,
    Instruments,
    Kind,
    Selection,
    Sets,
    Source,
    Start,
    Yes,
    select,
)
from jobs.runs import recorded
from lake.tables import TABLES


def pipeline(
    *,
    env: Env = "replay",
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    start: Start = None,
    end: End = None,
    datasets: Datasets = None,
    source: Source = "rest",
    yes: Yes = False,
    sets: Sets = None,
) -> None:
    """Bring a window of the market from the exchange to certified candles.

    Example: ./spark-submit.sh pipeline --start 2024-01-01 --end 2024-01-02
    """
    lake = open_lake(env, sets or ())
    selection = select(
        lake.settings,
        exchange=exchange,
        kind=kind,
        instruments=instruments,
        start=start,
        end=end,
        datasets=datasets,
        source=source,
    )
    with open_context("pipeline", lake, writes=tuple(TABLES.values())) as context:
        context.tables.ensure(*TABLES.values())
        with recorded(context, "pipeline") as counts:
            counts.update(run(context, selection, yes=yes))


def run(context: Context, selection: Selection, *, yes: bool = False) -> dict[str, int]:
    """Run every step once; return how much each did."""
    with exchanges_of(context.settings) as settings:
        extraction = land(context, settings, selection, yes=yes)
    refine(context)
    certificate = certify.certify(context, selection, extraction.instruments)
    certify.print_certificate(certificate, sys.stdout)
    certificate.require()
    return {"files_landed": extraction.landed.files_created, **certificate.counts}


def refine(context: Context) -> None:
    """Bring all that has landed through silver to gold."""
    instruments.consume(context)
    for dataset in silver.FACTS:
        silver.consume(context, dataset)
    gold.follow(context)


if __name__ == "__main__":
    run_job(pipeline)
