"""Builds the Data Docs, a static site of what the gates found, from `ops.gate_results`.

Run by `candlelake data-docs`.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.context import Context, Lake, open_context, open_lake
from jobs.options import Env, Sets
from lake.errors import UsageError
from lake.objects import FolderStore
from lake.tables import OPS_GATE_RESULTS

FOLDER = "data_docs"
#: A static site is read from a folder; a lake in S3 has none on this machine.
BESIDE_S3 = Path("data", FOLDER)

Out = Annotated[
    Path | None,
    typer.Option(
        help="The site's folder; by default data_docs in the lake, ./data/data_docs for one in S3."
    ),
]


def data_docs(*, out: Out = None, env: Env = "replay", sets: Sets = None) -> None:
    """Build a static site of what the gates found, and print the path of its first page.

    Example: candlelake data-docs
    """
    lake = open_lake(env, sets or ())
    typer.echo(build(lake, out or folder_of(lake)))


def build(lake: Lake, folder: Path) -> Path:
    """Build the site from all recorded results; return the absolute path of its index.html.

    Raises:
        UsageError: no gate has run yet, or the folder holds something else.
    """
    with open_context("data-docs", lake) as context:
        rows = results(context)
    if not rows:
        raise UsageError(
            "no gate has run in this lake yet",
            where=lake.store.location(OPS_GATE_RESULTS.path),
            hint="Run ./spark-submit.sh pipeline first.",
        )
    from expectations import data_docs as site  # noqa: PLC0415 - it takes seconds to load

    return site.build(rows, folder).absolute()


def results(context: Context) -> list[dict[str, Any]]:
    """Return the rows of `ops.gate_results`, their times in UTC; none where no gate has run."""
    if not context.tables.exists(OPS_GATE_RESULTS):
        return []
    rows = context.tables.read(OPS_GATE_RESULTS).collect()
    # Spark hands out naive datetimes in the machine's zone
    return [{**row.asDict(), "checked_at": row["checked_at"].astimezone(UTC)} for row in rows]


def folder_of(lake: Lake) -> Path:
    """Return where a lake's Data Docs stand when nothing else is said."""
    return lake.store.root / FOLDER if isinstance(lake.store, FolderStore) else BESIDE_S3
