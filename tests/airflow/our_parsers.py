"""Parses command lines with the parsers of our own commands, and runs nothing."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import typer
from typer.main import get_command

from jobs import cli


def parsed(program: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the options that a command line names, as its command would get them.

    Raises:
        click.UsageError: the command would refuse it.
    """
    if program == "spark-submit.sh":
        job, *options = words
        return _parsed(_job(job), options)
    return _parsed(get_command(cli.app), list(words))


def _job(name: str) -> Any:
    """Return the command of a Spark job, as `run_job` makes it."""
    stem = name.replace("-", "_")
    module = importlib.import_module(f"jobs.{stem}")
    app = typer.Typer()
    app.command()(getattr(module, "main", None) or getattr(module, stem))
    return get_command(app)


def _parsed(command: Any, words: list[str]) -> dict[str, Any]:
    context = command.make_context(command.name, words)
    rest = [*getattr(context, "_protected_args", ()), *context.args]
    if not rest:
        return dict(context.params)
    _, inner, words = command.resolve_command(context, rest)
    return {**context.params, **_parsed(inner, words)}
