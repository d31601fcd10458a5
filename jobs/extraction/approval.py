"""Asks before a big run: what it will fetch and how long that takes, said before it starts."""

from __future__ import annotations

import sys

import typer

from extract.plan import Plan, lasting, sized
from lake.errors import UsageError
from lake.settings import Settings

NARROWER = "Name fewer instruments or a shorter window"


def require_leave(plan: Plan, settings: Settings, *, yes: bool) -> None:
    """Return where the run may start; above the limits in `[extract]` somebody has to say so.

    The replay environment never asks: nothing leaves the machine.

    Raises:
        UsageError: nobody can be asked and `yes` was not given, or the answer was no.
        KeyboardInterrupt: the question was interrupted.
    """
    if yes or settings.env == "replay" or not _is_big(plan, settings):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        limits = settings.extract
        raise UsageError(
            f"this run asks {plan}; above {sized(limits.ask_above_bytes)} or"
            f" {lasting(limits.ask_above_seconds)} it wants a yes",
            hint=f"Add --yes to run it. {NARROWER} to make it smaller.",
        )
    if not _confirmed(f"This run asks {plan}. Start it?"):
        raise UsageError("the run was not started", hint=f"{NARROWER}, or answer y.")


def _is_big(plan: Plan, settings: Settings) -> bool:
    limits = settings.extract
    return plan.bytes > limits.ask_above_bytes or plan.seconds > limits.ask_above_seconds


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question, err=True)
    except typer.Abort as stop:
        raise KeyboardInterrupt from stop
