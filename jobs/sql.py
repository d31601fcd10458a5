"""Answer one SQL statement over the lake's tables, on standard output and nothing else.

Run by `./spark-submit.sh sql "select ..."`.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TextIO

import typer
from pyspark.errors import PySparkException
from pyspark.sql import Row
from rich.console import Console
from rich.table import Table as Grid

from jobs import catalog
from jobs.application import run_job
from jobs.context import open_context, open_lake
from jobs.options import Env, Sets
from lake.clock import to_iso
from lake.errors import UsageError


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT, SHOW or DESCRIBE.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Answer one SQL statement; it knows silver.*, gold.* and ops.* by name.

    Example: ./spark-submit.sh sql "select count(*) from silver.agg_trades" --format csv
    """
    with open_context("sql", open_lake(env, sets or ())) as context:
        catalog.register(context)
        try:
            answer = context.spark.sql(catalog.with_views(context, statement))
            columns = answer.columns
            rows: Iterable[Row] = answer.toLocalIterator()
            print_rows(columns, rows, form, sys.stdout)
        except PySparkException as error:
            raise UsageError(f"the SQL can't be answered: {_first_line(str(error))}") from error


def print_rows(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], form: Format, out: TextIO
) -> None:
    """Print rows as a table, as CSV with a header, or as one JSON object a line."""
    if form is Format.JSON:
        for row in rows:
            record = {name: _plain(value) for name, value in zip(columns, row, strict=True)}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
        return
    cells = ([_text(value) for value in row] for row in rows)
    if form is Format.CSV:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(cells)
        return
    grid = Grid(*columns)
    for line in cells:
        grid.add_row(*line)
    Console(file=out, width=None if out.isatty() else 400).print(grid)


def _plain(value: Any) -> Any:
    """Exact in JSON: decimals as text, times as ISO 8601 in UTC."""
    match value:
        case Decimal():
            plain: Any = format(value, "f")
        case datetime():
            # Spark hands out naive datetimes in the machine's zone
            plain = to_iso(value.astimezone())
        case date():
            plain = value.isoformat()
        case Row():
            plain = {name: _plain(inner) for name, inner in value.asDict().items()}
        case dict():
            plain = {str(name): _plain(inner) for name, inner in value.items()}
        case list():
            plain = [_plain(inner) for inner in value]
        case _:
            plain = value
    return plain


def _text(value: Any) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, dict | list) else str(plain)


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), text)


if __name__ == "__main__":
    run_job(sql)
