"""Trades that came a second time with other content: list them, keep the first, or correct it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F  # noqa: N812

from jobs import batches, gold, silver
from jobs.context import Context, open_context, open_lake
from jobs.options import Env, Sets
from jobs.streams import lines_of
from lake.errors import UsageError
from lake.storage import Slice, quoted
from lake.tables import IDENTITY_KEY, OPS_CONFLICTS, REPLACED, TABLES
from transform import sightings

app = typer.Typer(
    no_args_is_help=True,
    help="Trades that came twice with different content; their bars wait for a decision.",
)
Where = Annotated[str, typer.Option(help='SQL over ops.conflicts, such as "id = 42".')]
Chosen = Annotated[str, typer.Option(help="SQL over ops.conflicts; there is no default.")]
KEY = (*IDENTITY_KEY, "dataset", "id")
EVERY = tuple(TABLES.values())
#: Of several corrections of one trade only the newest counts when silver is built again.
CORRECTED, SUPERSEDED, KEPT = "corrected", "superseded", "kept"


@app.command("list")
def list_rows(*, where: Where = "true", env: Env = "replay", sets: Sets = None) -> None:
    """Print the open conflicts: dataset, instrument, id, what is held, what came later and where.

    Example: candlelake conflicts list
    """
    with open_context("conflicts", open_lake(env, sets or ())) as context:
        rows = context.tables.read(OPS_CONFLICTS).where("state = 'open'").where(where)
        for row in rows.orderBy(*KEY, "seen_bronze_file", "seen_bronze_line").collect():
            name = f"{row['exchange']}/{row['kind']}/{row['instrument']}"
            place = f"{row['seen_bronze_file']}:{row['seen_bronze_line']}"
            held, seen = row["held"], row["seen"]
            typer.echo(f"{row['dataset']}\t{name}\t{row['id']}\t{held}\t{seen}\t{place}")


@app.command()
def keep(*, where: Chosen, env: Env = "replay", sets: Sets = None) -> None:
    """Decide that the row in silver stands; its bar is complete again.

    Example: candlelake conflicts keep --where "instrument = 'BTCUSDT' AND id = 42"
    """
    with open_context("conflicts", open_lake(env, sets or ()), writes=EVERY) as context:
        keep_first(context, where)
        gold.follow(context)


@app.command()
def correct(*, where: Chosen, env: Env = "replay", sets: Sets = None) -> None:
    """Decide that the later row is right: it takes the place of the one in silver.

    Example: candlelake conflicts correct --where "instrument = 'BTCUSDT' AND id = 42"
    """
    with open_context("conflicts", open_lake(env, sets or ()), writes=EVERY) as context:
        for dataset in (name for name, fact in silver.FACTS.items() if fact.in_ledger):
            corrected = correct_dataset(context, dataset, where)
            if corrected:
                typer.echo(f"{dataset}: {corrected} rows corrected")
        gold.follow(context)


def keep_first(context: Context, where: str) -> None:
    """Close open conflicts in favour of the row that is held."""
    context.tables.update(OPS_CONFLICTS, f"state = 'open' AND ({where})", {"state": KEPT})


def correct_dataset(context: Context, dataset: str, where: str) -> int:
    """Put the later row of open conflicts in the place of the one held; return how many.

    The row is read from its bronze file again. A run killed between the writes is mended by the
    same command: the conflict is still open, and the row the same.

    Raises:
        UsageError: two rows claim one id, or bronze or the parser no longer has the row.
    """
    fact = silver.FACTS[dataset]
    chosen = f"state = 'open' AND dataset = {quoted(dataset)} AND ({where})"
    conflicts = context.tables.read(OPS_CONFLICTS).where(chosen)
    rows = conflicts.collect()
    if not rows:
        return 0
    _require_one_each(rows)
    files = sorted({row["seen_bronze_file"] for row in rows})
    with batches.parsed(context, fact, lines_of(context, files)) as batch:
        batch.keep()
        later = _later(fact, batch.valid, conflicts)
        found, within = later.count(), batches.slice_of(batch, fact)
        if found < len(rows) or within is None:
            raise UsageError(
                f"the present parser reads {found} of the {len(rows)} rows as they were seen",
                where=files[0],
                hint="Rebuild the window first; then look at the conflicts again.",
            )
        _set_aside(context, fact, later, within)
        context.tables.upsert(later, fact.table, within.predicate("t"))
    _supersede(context, conflicts)
    context.tables.update(OPS_CONFLICTS, chosen, {"state": CORRECTED})
    return found


def _set_aside(context: Context, fact: batches.Fact, later: DataFrame, within: Slice) -> None:
    """Keep the rows that are about to be replaced, whole: what was known before asks for them.

    A row set aside twice, by a run that was killed, stood until the later moment.
    """
    table = REPLACED[fact.table.name]
    context.tables.ensure(table)
    names = fact.table.schema.names
    held = context.tables.read(fact.table).where(within.predicate()).select(names)
    same = [F.col(f"t.{name}") == F.col(f"s.{name}") for name in fact.table.key]
    rows = [F.struct(*[f"{side}.{name}" for name in names]) for side in ("t", "s")]
    is_another = ~rows[0].eqNullSafe(rows[1])
    before = held.alias("t").join(later.alias("s"), [*same, is_another], "left_semi")
    now = F.lit(context.clock.now())
    context.tables.append(before.withColumn("replaced_at", now), table)


def decided(context: Context, fact: batches.Fact, rows: DataFrame) -> DataFrame:
    """Return the first row of each key, or the one that a correction was decided for.

    `rows` are read several times.
    """
    first = sightings.first_by_key(rows, fact.table.key).first
    won = f"state = {quoted(CORRECTED)} AND dataset = {quoted(fact.dataset)}"
    conflicts = context.tables.read(OPS_CONFLICTS).where(won)
    if conflicts.isEmpty():
        return first
    return sightings.corrected(first, _later(fact, rows, conflicts), fact.table.key)


def _later(fact: batches.Fact, rows: DataFrame, conflicts: DataFrame) -> DataFrame:
    """Return the rows that are the later side of these conflicts, one a key."""
    seen = sightings.seen_by(rows, conflicts, fact.id_column)
    return sightings.first_by_key(seen, fact.table.key).first


def _require_one_each(rows: Sequence[Row]) -> None:
    claimed = Counter(tuple(row[name] for name in KEY) for row in rows)
    key, count = claimed.most_common(1)[0]
    if count > 1:
        raise UsageError(
            f"{count} rows claim the id {key[-1]}: only one can be right",
            where=OPS_CONFLICTS.name,
            hint="Name one with --where \"seen_bronze_file = '...'\"; keep the others.",
        )


def _supersede(context: Context, conflicts: DataFrame) -> None:
    """An earlier correction of the same rows counts no more."""
    context.tables.update_matching(
        conflicts.select(*KEY),
        OPS_CONFLICTS,
        KEY,
        f"t.state = {quoted(CORRECTED)}",
        {"state": SUPERSEDED},
    )
