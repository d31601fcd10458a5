"""The rows that a rule turned away: list them, release them through the present parser, discard."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs import batches, gold, gold_of_perpetuals, silver
from jobs.context import Context, open_context, open_lake
from jobs.options import Env, Sets
from jobs.streams import lines_of
from lake.storage import Transaction, quoted
from lake.tables import OPS_QUARANTINE, TABLES

app = typer.Typer(no_args_is_help=True, help="Rows that a rule turned away; none is ever lost.")
Where = Annotated[
    str, typer.Option(help="SQL over ops.quarantine, such as \"dataset = 'trades'\".")
]
#: A release is no stream's batch; its rows are inserted once by their key.
RELEASE = -2


@app.command("list")
def list_rows(*, where: Where = "true", env: Env = "replay", sets: Sets = None) -> None:
    """Print how many open rows there are, by dataset, instrument and reasons.

    Example: candlelake quarantine list
    """
    with open_context("quarantine", open_lake(env, sets or ())) as context:
        rows = (
            context.tables.read(OPS_QUARANTINE)
            .where("state = 'open'")
            .where(where)
            .groupBy("dataset", "exchange", "kind", "instrument", "reasons")
            .count()
            .orderBy("dataset", "exchange", "kind", "instrument", "reasons")
        )
        for row in rows.collect():
            name = f"{row['exchange']}/{row['kind']}/{row['instrument']}"
            typer.echo(f"{row['count']}\t{row['dataset']}\t{name}\t{', '.join(row['reasons'])}")


@app.command()
def release(*, where: Where = "true", env: Env = "replay", sets: Sets = None) -> None:
    """Put open rows through the present parser; those that pass now go on to silver and gold.

    Example: candlelake quarantine release --where "dataset = 'agg_trades'"
    """
    lake = open_lake(env, sets or ())
    with open_context("quarantine", lake, writes=tuple(TABLES.values())) as context:
        for dataset in silver.FACTS:
            released = release_dataset(context, dataset, where)
            if released:
                typer.echo(f"{dataset}: {released} bronze files read again")
        gold.follow(context)
        gold_of_perpetuals.follow(context)


@app.command()
def discard(
    *,
    where: Annotated[str, typer.Option(help="SQL over ops.quarantine; there is no default.")],
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Mark open rows as looked at and not wanted; they stay in the table.

    Example: candlelake quarantine discard --where "instrument = 'BTCUSDT'"
    """
    lake = open_lake(env, sets or ())
    with open_context("quarantine", lake, writes=(OPS_QUARANTINE,)) as context:
        context.tables.update(
            OPS_QUARANTINE, f"state = 'open' AND ({where})", {"state": "discarded"}
        )


def release_dataset(context: Context, dataset: str, where: str) -> int:
    """Read the files of open rows of a dataset again; return how many files that were."""
    fact = silver.FACTS[dataset]
    opened = f"state = 'open' AND dataset = {quoted(dataset)} AND ({where})"
    held = context.tables.read(OPS_QUARANTINE).where(opened)
    files = sorted(row[0] for row in held.select("bronze_file").distinct().collect())
    if not files:
        return 0
    with batches.parsed(context, fact, lines_of(context, files)) as batch:
        silver.gate_batch(context, fact, batch, RELEASE)
        silver.publish(context, fact, batch, Transaction(f"release:{context.run_id}", 0))
        place = ["bronze_file", "bronze_line", "row_position"]
        still = batch.refused.select(*place)
        passed = held.select(*place).join(still, place, "left_anti")
        context.tables.update_matching(passed, OPS_QUARANTINE, place, opened, {"state": "released"})
    return len(files)
