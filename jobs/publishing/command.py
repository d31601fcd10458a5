"""The `candlelake database` commands: bring the schema up to date, let others read."""

from __future__ import annotations

import asyncio

import typer

from jobs.options import Env, Sets
from lake.errors import UsageError
from lake.settings import load_settings
from serve.database.address import Address, address_of
from serve.publishing.publisher import publishing
from serve.publishing.readers import grant

app = typer.Typer(no_args_is_help=True, help="The serving database: its schema and its readers.")


@app.command()
def upgrade(*, env: Env = "replay", sets: Sets = None) -> None:
    """Run the migrations that the database lacks; publish does so by itself.

    Example: candlelake database upgrade
    """
    address = address_of(load_settings(env, sets or ()))
    typer.echo(asyncio.run(_upgraded(address)))


@app.command()
def readers(role: str, *, env: Env = "replay", sets: Sets = None) -> None:
    """Let a role of PostgreSQL read every table, of now and of later migrations, and write none.

    Example: candlelake database readers candlelake_api
    """
    address = address_of(load_settings(env, sets or ()))
    if not address.is_postgres:
        raise UsageError(
            "the embedded database has no roles: whoever can read its file can read it",
            where=address.shown,
        )
    asyncio.run(_granted(address, role))
    typer.echo(f"{role} may read {address.shown}")


async def _upgraded(address: Address) -> str:
    async with publishing(address) as publisher:
        is_new = publisher.is_changed
    return f"{address.shown} {'is up to date now' if is_new else 'was up to date'}"


async def _granted(address: Address, role: str) -> None:
    async with publishing(address) as publisher:
        await grant(publisher, role)
