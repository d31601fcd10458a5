"""The `candlelake` command: what a user does beside the Spark jobs."""

from __future__ import annotations

import typer

from jobs import conflicts, quarantine
from jobs import doctor as ward
from jobs.application import exit_code_of
from jobs.backup import command as backup_command
from jobs.comparison.command import compare
from jobs.context import open_lake
from jobs.coverage.command import coverage
from jobs.coverage.repair import repair
from jobs.data_docs import data_docs
from jobs.ddl import ddl
from jobs.everything.command import up
from jobs.exporting import export, list_data
from jobs.extraction import command as extract_command
from jobs.extraction.plan import plan
from jobs.incidents import command as incidents_command
from jobs.levels.command import levels
from jobs.options import Env, Sets
from jobs.publishing import command as database_command
from jobs.reconcile import reconcile
from jobs.replaying import replay
from jobs.serving import api_key, serve
from jobs.sql import sql
from jobs.status.command import status
from jobs.versions import versioned
from jobs.watch.command import watch

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Candlelake: every trade kept raw, every candle proved.",
)
app.callback()(versioned)
app.command()(sql)
app.command()(plan)
app.command()(status)
app.command()(levels)
app.command()(watch)
app.command()(up)
app.command()(coverage)
app.command()(reconcile)
app.command()(repair)
app.command()(data_docs)
app.command()(replay)
app.command()(serve)
app.command()(export)
app.command()(list_data)
app.command()(ddl)
app.command()(compare)
app.add_typer(extract_command.app, name="extract")
app.add_typer(api_key, name="api-key")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(conflicts.app, name="conflicts")
app.add_typer(incidents_command.app, name="incidents")
app.add_typer(database_command.app, name="database")
app.add_typer(backup_command.app, name="backup")


@app.command()
def doctor(*, env: Env = "replay", sets: Sets = None) -> None:
    """Look through bronze; a corrupt file is moved to bronze/_corrupt, and runs go on.

    What collectors that have been dead for a day said of themselves is removed.

    Example: candlelake doctor
    """
    for line in ward.examine(open_lake(env, sets or ())):
        typer.echo(line)


def main() -> int:
    """Run the command line; return its exit code."""
    return exit_code_of(app)
