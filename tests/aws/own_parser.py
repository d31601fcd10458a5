"""Words that a template gives a program, read by the program's own parser."""

from __future__ import annotations

from typing import Any

import typer
from typer.main import get_command

from jobs.cli import app
from jobs.land_topic import land_topic
from jobs.maintain import main as maintain
from jobs.pipeline import pipeline
from jobs.reconcile import reconcile

JOBS: dict[str, Any] = {
    "pipeline": pipeline,
    "reconcile": reconcile,
    "maintain": maintain,
    "land_topic": land_topic,
}


def parsed(command: Any, words: list[str]) -> dict[str, Any]:
    """Let a command's own parser read words, groups followed down; nothing is run."""
    context = command.make_context(command.name or "candlelake", list(words))
    rest = [*getattr(context, "_protected_args", []), *context.args]
    if hasattr(command, "resolve_command") and rest:
        _, inner, left = command.resolve_command(context, rest)
        return parsed(inner, left)
    assert not rest, rest
    return dict(context.params)


def job(words: list[str]) -> dict[str, Any]:
    """Let a job's parser read its name and options, as run_job.py would start it."""
    name, *options = words
    if name == "candlelake":
        return parsed(get_command(app), options)
    alone = typer.Typer(add_completion=False)
    alone.command()(JOBS[name])
    return parsed(get_command(alone), options)
