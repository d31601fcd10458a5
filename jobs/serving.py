"""`candlelake serve` and `candlelake api-key`: the API on this lake's serving database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jobs.options import Env, Sets
from lake.errors import SettingsError
from lake.settings import Settings, load_settings

api_key = typer.Typer(
    no_args_is_help=True, help="API keys: who may ask an API that others can reach."
)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Where to listen; serve.host.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0 takes a free one; serve.port.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Serve what was published: the API, its description at /docs, the chart at /.

    Example: candlelake serve --port 8000
    """
    from serve.api.server import Service, run  # noqa: PLC0415 - FastAPI only where served
    from serve.database.repository import open_repository  # noqa: PLC0415

    overrides = [*(sets or ())]
    overrides += [f"serve.host={host}"] if host is not None else []
    overrides += [f"serve.port={port}"] if port is not None else []
    settings = load_settings(env, overrides)
    service = Service(
        partial(open_repository, settings), settings.serve, settings.gold.bar_intervals
    )
    run(service, workers, lambda url: typer.echo(f"candlelake: serving at {url}", err=True))


@api_key.command()
def new(
    *,
    name: Annotated[str, typer.Option(help="Whose it is, or what for.")],
    env: Env = "replay",
    sets: Sets = None,
) -> None:
    """Make a key, print it once, and add its hash to serve.keys_file.

    Example: candlelake api-key new --name chart --set serve.keys_file=data/api-keys
    """
    from serve.api.keys import new_key  # noqa: PLC0415

    typer.echo(new_key(_keys_file(load_settings(env, sets or ())), name))


@api_key.command("list")
def listed(*, env: Env = "replay", sets: Sets = None) -> None:
    """Print the names of the keys that are admitted.

    Example: candlelake api-key list --set serve.keys_file=data/api-keys
    """
    from serve.api.keys import names  # noqa: PLC0415

    for name in names(_keys_file(load_settings(env, sets or ()))):
        typer.echo(name)


def _keys_file(settings: Settings) -> Path:
    if not settings.serve.keys_file:
        raise SettingsError(
            "serve.keys_file is not set",
            hint="Set it with --set serve.keys_file=PATH, or in conf/: the API reads it, too.",
        )
    return Path(settings.serve.keys_file)
