"""`candlelake --version`: which code this is."""

from __future__ import annotations

from typing import Annotated

import typer

from lake.beside import version


def _tell(asked: bool) -> None:  # noqa: FBT001 - typer's own signature
    if asked:
        typer.echo(f"candlelake {version()}")
        raise typer.Exit


def versioned(
    *,
    told: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell, is_eager=True, help="Print version and commit, and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del told
