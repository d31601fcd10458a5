"""`candlelake incidents`: tell of a time that explains odd data, mend it, close it, withdraw it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from jobs.context import open_context, open_lake
from jobs.incidents import memory
from jobs.options import Env, Sets
from lake.clock import to_iso
from lake.errors import UsageError
from lake.moment import moment
from lake.schemas_of_incidents import CAUSES, WITHDRAWN
from lake.tables import OPS_INCIDENTS

app = typer.Typer(
    no_args_is_help=True,
    help="Times in which an exchange was down or in maintenance, or we were; causes refer to them.",
)
Id = Annotated[str, typer.Argument(metavar="ID", help="As list prints it.")]
OfExchange = Annotated[str, typer.Option("--exchange", help="Whose data it touches.")]
Cause = Annotated[str, typer.Option(help=f"One of {', '.join(CAUSES)}.")]
Started = Annotated[str, typer.Option("--start", "-s", help="ISO 8601 or UNIX ms; included.")]
Title = Annotated[str, typer.Option(help="What happened, in one line.")]
OfKind = Annotated[str | None, typer.Option("--kind", help="The venue's segment; all without it.")]
OfInstrument = Annotated[
    str | None, typer.Option("--instrument", help="One name, beside --kind; all without it.")
]
Ended = Annotated[
    str | None,
    typer.Option("--end", "-e", help="ISO 8601 or UNIX ms; excluded; without it, it goes on."),
]
Description = Annotated[str | None, typer.Option(help="All else that is worth to be known.")]
Link = Annotated[str | None, typer.Option(help="Where more is told, such as a status page.")]
By = Annotated[str | None, typer.Option("--by", help="Who tells it.")]


@app.command("list")
def list_rows(
    *,
    where: Annotated[
        str, typer.Option(help="SQL over ops.incidents, such as \"cause = 'maintenance'\".")
    ] = "true",
    revisions: Annotated[
        bool, typer.Option("--revisions", help="Every revision, of those withdrawn too.")
    ] = False,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Print the incidents: id, revision, state, cause, of what, start, end, title.

    Example: candlelake incidents list --where "exchange = 'binance'"
    """
    with open_context("incidents", open_lake(env, sets or ())) as context:
        for one in memory.told(context, where, revisions=revisions):
            typer.echo(written(one))


@app.command()
def add(
    *,
    exchange: OfExchange,
    cause: Cause,
    start: Started,
    title: Title,
    kind: OfKind = None,
    instrument: OfInstrument = None,
    end: Ended = None,
    description: Description = None,
    link: Link = None,
    by: By = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Tell of an incident, and print its id.

    Example: candlelake incidents add --exchange binance --kind spot --cause exchange_down
    --start 2023-03-24T12:40:00Z --end 2023-03-24T14:00:00Z --title "Spot trading halted"
    """
    given: dict[str, Any] = {
        "exchange": exchange,
        "kind": kind or None,
        "instrument": instrument or None,
        "cause": cause,
        "started_at": required_moment(start),
        "ended_at": moment(end or "", "--end"),
        "title": title,
        "description": description or None,
        "link": link or None,
        "reported_by": by or None,
    }
    lake = open_lake(env, sets or ())
    first = memory.begun(lake, given)
    with open_context("incidents", lake, writes=(OPS_INCIDENTS,)) as context:
        typer.echo(memory.tell(context, first))


@app.command()
def change(
    incident_id: Id,
    *,
    exchange: Annotated[str | None, typer.Option(help="Whose data it touches.")] = None,
    kind: OfKind = None,
    instrument: OfInstrument = None,
    cause: Annotated[str | None, typer.Option(help=f"One of {', '.join(CAUSES)}.")] = None,
    start: Annotated[str | None, typer.Option("--start", "-s", help="Included.")] = None,
    end: Ended = None,
    title: Annotated[str | None, typer.Option(help="What happened, in one line.")] = None,
    description: Description = None,
    link: Link = None,
    by: By = None,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Write a new revision with what is given; an empty text clears a field: --end "" reopens.

    Example: candlelake incidents change 2023-03-24-binance --end 2023-03-24T14:00:00Z
    """
    texts = {
        "exchange": exchange,
        "kind": kind,
        "instrument": instrument,
        "cause": cause,
        "title": title,
        "description": description,
        "link": link,
        "reported_by": by,
    }
    given: dict[str, Any] = {name: text or None for name, text in texts.items() if text is not None}
    if start is not None:
        given["started_at"] = required_moment(start)
    if end is not None:
        given["ended_at"] = moment(end, "--end")
    lake = open_lake(env, sets or ())
    with open_context("incidents", lake, writes=(OPS_INCIDENTS,)) as context:
        memory.revise(context, incident_id, given)


@app.command()
def close(incident_id: Id, *, end: Ended = None, env: Env = "replay", sets: Sets = None) -> None:
    """Say that an incident is over: now, or at --end.

    Example: candlelake incidents close 2023-03-24-binance
    """
    ended = moment(end or "", "--end")
    lake = open_lake(env, sets or ())
    with open_context("incidents", lake, writes=(OPS_INCIDENTS,)) as context:
        memory.close(context, incident_id, ended)


@app.command()
def withdraw(incident_id: Id, *, env: Env = "replay", sets: Sets = None) -> None:
    """Say that an incident was none: it explains nothing any more, and stays in the table.

    Example: candlelake incidents withdraw 2023-03-24-binance
    """
    lake = open_lake(env, sets or ())
    with open_context("incidents", lake, writes=(OPS_INCIDENTS,)) as context:
        memory.revise(context, incident_id, {"state": WITHDRAWN})


def required_moment(text: str) -> datetime:
    """Return the moment at which an incident started.

    Raises:
        UsageError: the text is empty or no moment.
    """
    started = moment(text, "--start")
    if started is None:
        raise UsageError("--start is empty: every incident has a start")
    return started


def written(one: memory.Incident) -> str:
    """Return an incident as one line, its fields parted by tabs."""
    of = "/".join((one.exchange, one.kind or "*", one.instrument or "*"))
    ended = to_iso(one.ended_at) if one.ended_at else ""
    fields = (one.incident_id, str(one.revision), one.state, one.cause, of)
    return "\t".join((*fields, to_iso(one.started_at), ended, one.title))
