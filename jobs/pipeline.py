"""The main job: extract to bronze, compact to silver, derive gold, compare with the exchange.

Run by `./spark-submit.sh pipeline`.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from jobs import gold, gold_of_perpetuals, information_bars, instruments, silver
from jobs.application import run_job
from jobs.context import Context, Lake, exchanges_of, open_context, open_lake, start_session
from jobs.continuous import Publish, run_continuously
from jobs.extraction.run import Extraction, Prepared, prepare
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
    only_polled,
    select,
)
from jobs.reconciliation import candles
from jobs.runs import recorded
from lake.errors import CandlelakeError, ExtractError, UsageError
from lake.tables import STANDING, TABLES

Continuous = Annotated[
    bool,
    typer.Option(
        "--continuous",
        help="Extract nothing; keep silver and gold fresh with what lands, until interrupted.",
    ),
]
Publishes = Annotated[
    bool,
    typer.Option(
        "--publish", help="Of --continuous: bring what is new to the serving database as well."
    ),
]


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
    continuous: Continuous = False,
    publish: Publishes = False,
    sets: Sets = None,
) -> None:
    """Bring a window of the market from the exchange to certified candles.

    Example: ./spark-submit.sh pipeline --start 2024-01-01 --end 2024-01-02
    """
    lake = open_lake(env, sets or ())
    if continuous:
        return run_continuously(lake, _publication(lake, wanted=publish))
    if publish:
        raise UsageError(
            "--publish goes with --continuous", hint="Else run ./spark-submit.sh publish behind it."
        )
    if only_polled(datasets):
        return refine_polled(lake)
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
    extract_and_certify(lake, selection, yes=yes)
    return None


def _publication(lake: Lake, *, wanted: bool) -> Publish | None:
    if not wanted:
        return None
    # the drivers of databases where they are used
    from jobs.publish import follow  # noqa: PLC0415
    from serve.database.address import address_of  # noqa: PLC0415

    address_of(lake.settings)
    return follow


def extract_and_certify(lake: Lake, selection: Selection, *, yes: bool) -> None:
    """Extract what is selected, refine it, and hold the candles against the exchange's own bars."""
    with exchanges_of(lake.settings) as settings:
        extraction = prepare(lake, settings, selection, yes=yes)
        # Spark takes as long to start as a short extraction
        start_session("pipeline", lake)
        landed = _outcome(extraction)
    with open_context("pipeline", lake, writes=tuple(TABLES.values())) as context:
        context.tables.ensure(*STANDING)
        with recorded(context, "pipeline") as counts:
            if isinstance(landed, CandlelakeError):
                raise landed
            counts.update(run(context, selection, landed))


def refine_polled(lake: Lake) -> None:
    """Bring what has landed to silver and gold; nothing is extracted, nothing to be certified."""
    with open_context("pipeline", lake, writes=tuple(TABLES.values())) as context:
        context.tables.ensure(*STANDING)
        with recorded(context, "pipeline"):
            refine(context)


def run(context: Context, selection: Selection, extraction: Extraction) -> dict[str, int]:
    """Refine and certify what has landed; return how much that was."""
    refine(context)
    certificate = candles.certify(context, selection, extraction.instruments)
    candles.print_certificate(certificate, sys.stdout)
    certificate.require()
    return {"files_landed": extraction.landed.files_created, **certificate.counts}


def _outcome(extraction: Prepared) -> Extraction | CandlelakeError:
    """Run the extraction; a failure is raised later, where it can be recorded."""
    try:
        done = extraction.run()
    except CandlelakeError as error:
        return error
    if done.sent:
        return ExtractError(
            f"{done.sent} messages are in the queue, and what they ask for has not landed",
            hint="Run the pipeline again when the queue is empty.",
        )
    return done


def refine(context: Context) -> None:
    """Bring all that has landed through silver to gold."""
    instruments.consume(context)
    for dataset in silver.FACTS:
        silver.consume(context, dataset)
    gold.follow(context)
    gold_of_perpetuals.follow(context)
    information_bars.follow(context)


if __name__ == "__main__":
    run_job(pipeline)
