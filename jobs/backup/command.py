"""`candlelake backup`: a copy of the lake in another folder or bucket, and a lake of a copy."""

from __future__ import annotations

from typing import Annotated

import typer

from jobs.backup.backing_up import back_up, restore
from jobs.backup.copying import Copied
from jobs.context import open_lake
from jobs.options import Env, Sets

app = typer.Typer(no_args_is_help=True, help="Copy the lake elsewhere, and bring a copy back.")


@app.command("make")
def make(
    to: Annotated[str, typer.Argument(help="A folder, or s3a://bucket/path.")],
    *,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Bring the copy up to the lake's present state; the lake may be in use.

    Example: candlelake backup make /mnt/elsewhere/lake
    """
    _tell(back_up(open_lake(env, sets or ()), to))


@app.command("restore")
def bring_back(
    source: Annotated[str, typer.Argument(help="Where the copy is.")],
    *,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Make a new, empty lake of the copy, at any address; the pipeline goes on from there.

    Example: candlelake backup restore /mnt/elsewhere/lake --set lake.root=./data/restored
    """
    _tell(restore(open_lake(env, sets or ()), source))


def _tell(copied: Copied) -> None:
    typer.echo(f"objects={copied.objects} bytes={copied.bytes} removed={copied.removed}")
