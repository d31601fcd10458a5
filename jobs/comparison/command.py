"""`candlelake compare`: whether another lake holds the same rows as this one."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.options import Env, Sets
from lake.errors import UsageError
from lake.objects import open_store
from lake.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.comparison.tables import Verdict

DIFFERENT = 1
Other = Annotated[str, typer.Argument(help="The root of the other lake: a folder, or s3a://…")]
Databases = Annotated[
    bool,
    typer.Option(
        "--databases", help="Compare the serving databases too; the other's is in its folder."
    ),
]


def compare(
    other: Other, *, databases: Databases = False, env: Env = "replay", sets: Sets = None
) -> None:
    """Compare silver and gold with another lake's, row by row; exit 1 on any difference.

    Left out: names and clocks of runs, and where a collector's rows lie in bronze.

    Example: candlelake compare data/restored
    """
    settings = load_settings(env, sets or ())
    verdicts = list(_verdicts(settings, other, databases=databases))
    if not verdicts:
        raise UsageError("neither lake has a table", where=f"{settings.lake.root}, {other}")
    for verdict in verdicts:
        typer.echo(str(verdict))
    different = [verdict.table for verdict in verdicts if verdict.difference]
    if different:
        typer.echo(f"different: {', '.join(different)}")
        raise typer.Exit(DIFFERENT)
    rows = sum(verdict.rows[0] for verdict in verdicts)
    typer.echo(f"identical: {len(verdicts)} tables, {rows} rows")


def _verdicts(settings: Settings, other: str, *, databases: bool) -> Iterator[Verdict]:
    # Arrow and the database's drivers take a second to load
    from jobs.comparison import tables  # noqa: PLC0415

    found = tables.compared(open_store(settings.lake.root), open_store(other))
    if not databases:
        return found
    from jobs.comparison import databases as serving  # noqa: PLC0415
    from serve.database.address import address_of  # noqa: PLC0415

    embedded = settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"root": other}),
            "serve": settings.serve.model_copy(update={"database_url": ""}),
        }
    )
    return chain(found, serving.compared(address_of(settings), address_of(embedded)))
