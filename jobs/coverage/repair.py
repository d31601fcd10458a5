"""`candlelake repair`: fills holes by asking for exactly their ids, and proves it by a recount."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, cast

import typer

from extract.client import Client
from extract.coverage import Missing, joined
from extract.foresight import weight_per_minute
from extract.history.refill import refill
from extract.history.schedule import Schedule, Wanted
from extract.plan import Plan
from jobs import pipeline
from jobs.context import Context, Lake, exchanges_of, open_context, open_lake
from jobs.coverage.holdings import Of, holdings
from jobs.coverage.recount import Verdict, recounted
from jobs.extraction import history
from jobs.extraction.approval import require_leave
from jobs.extraction.run import Prepared
from jobs.options import Env, Exchange, Instruments, Kind, Segment, Sets, Yes, segments_of
from jobs.reconciliation.open_rows import unexplained_ids
from jobs.runs import recorded
from lake.bronze import Coverage, Dataset
from lake.errors import CandlelakeError, ExtractError, PermanentExtractError, UsageError
from lake.settings import Settings
from lake.tables import OPS_CONTINUITY, TABLES

log = logging.getLogger(__name__)

Holes = Mapping[Of, Sequence[Missing]]
FromReconciliation = Annotated[
    bool,
    typer.Option(
        "--from-reconciliation",
        help="Ask for the ids that the newest certificates leave unexplained, not for the ledger's"
        " holes.",
    ),
]
EVERY = tuple(TABLES.values())
Assumed = Annotated[
    bool, typer.Option("--assumed", help="Ask for what is taken for off the book, too.")
]


@dataclass(slots=True)
class Asked:
    """What came of asking.

    Attributes:
        refused: why nothing could be asked of an instrument.
        out_of_reach: holes of which the exchange no longer gives every trade.
        failure: what ended the asking before its end.
    """

    refused: dict[Of, str] = field(default_factory=dict)
    out_of_reach: set[tuple[Of, Missing]] = field(default_factory=set)
    failure: ExtractError | None = None

    def reason(self, of: Of, hole: Missing) -> str:
        """Return why a hole may still be open, empty where it was asked for and answered."""
        if of in self.refused:
            return self.refused[of]
        if (of, hole) in self.out_of_reach:
            return "the exchange no longer gives trades as old as these"
        return str(self.failure or "")


def repair(
    *,
    exchange: Exchange = None,
    kind: Kind = None,
    instruments: Instruments = None,
    from_reconciliation: FromReconciliation = False,
    assumed: Assumed = False,
    yes: Yes = False,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Ask for the ids of every open hole, bring the answers to gold, and count silver's ids again.

    Example: candlelake repair --exchange binance --kind spot
    """
    lake = open_lake(env, sets or ())
    chosen = segments_of(exchange, kind, instruments)
    with open_context("repair", lake, writes=EVERY) as context:
        if from_reconciliation:
            holes = _reported(context, chosen)
        else:
            holes = open_holes(context, chosen, assumed=assumed)
    if not holes:
        typer.echo("no hole is open")
        return
    with exchanges_of(lake.settings) as settings:
        # no table is written meanwhile: others may hold their leases
        asked = ask(lake, settings, holes, yes=yes)
    with (
        open_context("repair", lake, writes=EVERY) as context,
        recorded(context, "repair") as counts,
    ):
        verdicts = settled(context, holes, asked)
        for verdict in verdicts:
            typer.echo(str(verdict))
        counts["holes"] = len(verdicts)
        require_closed(verdicts, asked)


def _reported(context: Context, segments: Sequence[Segment]) -> Holes:
    """Digest what has landed, then return the ids that the newest certificates leave open."""
    context.tables.ensure(*EVERY)
    pipeline.refine(context)
    return unexplained_ids(context, segments)


def open_holes(context: Context, segments: Sequence[Segment], *, assumed: bool = False) -> Holes:
    """Digest what has landed, then return the ids of all open holes of these segments.

    Args:
        context: the run.
        segments: whose.
        assumed: whether numbers that are only assumed to be off the book count too.

    Raises:
        UsageError: the ledger holds nothing of them.
    """
    context.tables.ensure(*EVERY)
    pipeline.refine(context)
    found = {}
    for holding in holdings(context, segments):
        wanted = [*holding.open_holes, *(holding.assumed_holes if assumed else ())]
        spans = joined(Coverage(hole.first_id, hole.last_id, 0, 0) for hole in wanted if hole.ids)
        if spans:
            found[holding.of] = [Missing(span.first_id, span.last_id) for span in spans]
    return found


def ask(lake: Lake, settings: Settings, holes: Holes, *, yes: bool = False) -> Asked:
    """Ask the exchanges for exactly these ids and land the answers.

    A failure is kept, not raised: what has landed before it can be used.

    Raises:
        UsageError: it is a big run and has nobody's leave.
    """
    client, asked = Client(settings, clock=lake.clock), Asked()
    schedules = []
    for of, missing in holes.items():
        try:
            one = _schedule(lake, settings, client, of, missing)
        except (UsageError, PermanentExtractError) as error:
            asked.refused[of] = str(error)
        except ExtractError as error:
            asked.failure = error
        else:
            schedules.append(one)
            asked.out_of_reach |= {(of, hole) for hole in missing if hole not in one.missing}
    estimates = [history.estimate(settings, one) for one in schedules]
    plan = Plan([part for part in estimates if part.requests], weight_per_minute(settings))
    log.info("plan %s", plan)
    require_leave(plan, settings, yes=yes)
    try:
        Prepared(lake, settings, client, (), (), schedules, plan).run()
    except ExtractError as error:
        asked.failure = error
    return asked


def _schedule(
    lake: Lake, settings: Settings, client: Client, of: Of, missing: Sequence[Missing]
) -> Schedule:
    exchange, kind, instrument, _, dataset = of
    wanted = Wanted(exchange, kind, cast("Dataset", dataset), instrument, "start")
    return refill(settings, client, wanted, missing, run_id=lake.run_id)


def settled(context: Context, holes: Holes, asked: Asked) -> list[Verdict]:
    """Bring what has landed to gold; return what is true of each hole now, by a count of silver."""
    pipeline.refine(context)
    everything = segments_of(None, None, None)
    known = {one.of: one.named("hole") for one in holdings(context, everything)}
    return [
        verdict
        for of, missing in holes.items()
        for verdict in recounted(
            context, of, {hole: asked.reason(of, hole) for hole in missing}, known.get(of, [])
        )
    ]


def require_closed(verdicts: Sequence[Verdict], asked: Asked) -> None:
    """Return where no hole is open any more.

    Raises:
        ExtractError: what ended the asking before its end.
        CandlelakeError: holes are open although they were asked for.
    """
    still = sum(verdict.is_open for verdict in verdicts)
    if still and asked.failure is not None:
        raise asked.failure
    if still:
        raise CandlelakeError(
            f"{still} of {len(verdicts)} holes are still open",
            where=OPS_CONTINUITY.name,
            hint="Each line above says why; `candlelake coverage` shows them all.",
        )
