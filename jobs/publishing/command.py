"""The `candlelake database` commands: bring the schema up to date, let others read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from jobs.options import Env, Sets
from lake.errors import UsageError
from lake.settings import load_settings

if TYPE_CHECKING:
    from serve.database.address import Address

app = typer.Typer(no_args_is_help=True, help="The serving database: its schema and its readers.")


@app.command()
def upgrade(*, env: Env = "replay", sets: Sets = None) -> None:
    """Run the migrations that the database lacks; publish does so by itself.

    Example: candlelake database upgrade
    """
    address = _address(env, sets)
    typer.echo(asyncio.run(_upgraded(address)))


@app.command()
def readers(role: str, *, env: Env = "replay", sets: Sets = None) -> None:
    """Let a role of PostgreSQL read every table, of now and of later migrations, and write none.

    Example: candlelake database readers candlelake_api
    """
    address = _address(env, sets)
    if not address.is_postgres:
        raise UsageError(
            "the embedded database has no roles: whoever can read its file can read it",
            where=address.shown,
        )
    asyncio.run(_granted(address, role))
    typer.echo(f"{role} may read {address.shown}")


def _address(env: str, sets: Sets) -> Address:
    # SQLAlchemy takes half a second to load: no other command shall wait for it
    from serve.database.address import address_of  # noqa: PLC0415

    return address_of(load_settings(env, sets or ()))


async def _upgraded(address: Address) -> str:
    from serve.publishing.publisher import publishing  # noqa: PLC0415

    async with publishing(address) as publisher:
        is_new = publisher.is_changed
    return f"{address.shown} {'is up to date now' if is_new else 'was up to date'}"


async def _granted(address: Address, role: str) -> None:
    from serve.publishing.publisher import publishing  # noqa: PLC0415
    from serve.publishing.readers import grant  # noqa: PLC0415

    async with publishing(address) as publisher:
        await grant(publisher, role)
