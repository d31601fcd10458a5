"""Keep tables quick to read: small files of closed days become large ones, old files go.

Run by `./spark-submit.sh maintain`. No row changes, and it may run beside every other job.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

from jobs.application import run_job
from jobs.context import open_context, open_lake
from jobs.maintenance.parts import Window
from jobs.maintenance.printing import as_grid, as_json
from jobs.maintenance.working import Outcome, Run, maintain
from jobs.options import End, Env, Sets, Start, names_in
from lake.errors import UsageError
from lake.moment import moment
from lake.tables import TABLES, Table

#: Wide enough for every column; a pipe has no width of its own.
WIDTH = 160


def main(
    *,
    table: Annotated[
        str | None, typer.Option(help="Tables, parted by commas; all by default.")
    ] = None,
    start: Start = None,
    end: End = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
    ] = False,
    in_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a table.")] = False,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Write small files of closed days anew as large ones, and remove what no reader needs.

    Example: ./spark-submit.sh maintain --table silver.trades,gold.ohlcv --dry-run
    """
    chosen = _tables(table)
    window = Window(moment(start or "", "--start"), moment(end or "", "--end"))
    lake = open_lake(env, sets or ())
    with open_context("maintain", lake) as context:
        run = Run(lake, context.spark, window, dry_run)
        found = [maintain(run, one) for one in chosen]
    _tell([one for one in found if one is not None], is_dry=dry_run, in_json=in_json)


def _tables(text: str | None) -> Sequence[Table]:
    names = names_in(text) or tuple(TABLES)
    for name in names:
        if name not in TABLES:
            raise UsageError(f"there is no table '{name}'", hint=f"Known are {', '.join(TABLES)}.")
    return [TABLES[name] for name in names]


def _tell(outcomes: Sequence[Outcome], *, is_dry: bool, in_json: bool) -> None:
    if in_json:
        print(as_json(outcomes))
    else:
        Console(width=WIDTH, color_system=None).print(as_grid(outcomes, is_dry=is_dry))
    for one in outcomes:
        if one.left:
            print(f"{one.table}: {one.left}", file=sys.stderr)


if __name__ == "__main__":
    run_job(main)
