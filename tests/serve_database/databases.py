"""Serving databases for tests: in memory, in a file, and a real PostgreSQL where one can be had."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from serve.database.address import Address
from serve.database.rendering import TYPES
from serve.database.schema import PRICES, SUMS

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "services" / "postgres.sh"
MINUTE = 60_000
#: 2024-01-01T00:00:00Z in milliseconds.
MIDNIGHT = 1_704_067_200_000


def start_postgres(folder: Path, port: int | None = None) -> Address:
    """Start the PostgreSQL of a folder; skip the test where its program can't be had.

    With CI=true that is an error.
    """
    command = [str(SCRIPT), "start", str(folder), *([str(port)] if port else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(done.stderr)
        pytest.skip(f"no PostgreSQL: {done.stderr.strip()}")
    url = make_url(done.stdout.strip())
    password = SecretStr((folder / "password").read_text().strip())
    assert url.host
    assert url.port
    assert url.database
    assert url.username
    return Address(url.database, 10, url.host, url.port, url.username, password)


def stop_postgres(folder: Path) -> None:
    """Stop it; its data stay."""
    subprocess.run([str(SCRIPT), "stop", str(folder)], check=True, capture_output=True)


def new_database(server: Address) -> Address:
    """Make an empty database on a server."""
    name = f"test_{uuid4().hex}"

    async def make() -> None:
        connection = await connected(server)
        await connection.execute(f'CREATE DATABASE "{name}"')
        await connection.close()

    asyncio.run(make())
    return replace(server, database=name)


async def connected(address: Address) -> asyncpg.Connection:
    assert address.password is not None
    return await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password.get_secret_value(),
        database=address.database,
    )


def settings_of(address: Address) -> Mapping[str, str]:
    """Return the environment that makes a command use this database."""
    if not address.is_postgres:
        return {}
    assert address.password is not None
    return {
        "CANDLELAKE_SERVE__DATABASE_URL": address.shown,
        "CANDLELAKE_SERVE__DATABASE_PASSWORD": address.password.get_secret_value(),
    }


def bars_of(series_id: int, starts: list[int], **changes: object) -> pa.Table:
    """Return bars of one minute, one at each start (ms), only what matters named."""
    count = len(starts)
    columns: dict[str, object] = {
        "bar_start": starts,
        "trade_count": [3] * count,
        "first_trade_seq": list(range(1, count + 1)),
        "last_trade_seq": list(range(2, count + 2)),
        "knowledge_us": [(start + 2 * MINUTE) * 1000 for start in starts],
        "series_id": [series_id] * count,
        "revision": [0] * count,
        "bar_minutes": [1] * count,
        "is_complete": [True] * count,
        "built_from": ["trades"] * count,
        **{name: [f"42000.{place + 1}" for place in range(count)] for name in PRICES},
        **dict.fromkeys(SUMS, ["0.00000001"] * count),
        **changes,
    }
    arrays = [pa.array(columns[name], kind) for name, kind in TYPES.items()]
    newest = pa.array(columns.get("is_newest", [True] * count))
    return pa.table([*arrays, newest], names=[*TYPES, "is_newest"])


def many_bars(series_id: int, first: int, count: int) -> pa.Table:
    """Return bars of one minute side by side from a minute on, with changing prices."""
    places = np.arange(first, first + count)
    return bars_of(
        series_id,
        (places * MINUTE).tolist(),
        close=[f"{42000 + place % 997}.{place % 89 + 1:02}".rstrip("0") for place in places],
    )
