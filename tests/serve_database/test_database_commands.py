"""The commands around the database, as a user runs them: one clear line, and the exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from pydantic import SecretStr

from serve.database.address import Address
from tests.serve_database.databases import ROOT, new_database, settings_of

COMMAND = "import sys; from jobs.cli import main; sys.exit(main())"


def candlelake(*words: str, lake: Path, of: Address | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *words],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CANDLELAKE_LAKE__ROOT": str(lake),
            **(settings_of(of) if of else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_upgrade_makes_the_embedded_schema_once(tmp_path: Path) -> None:
    file = tmp_path / "serve.sqlite"

    first = candlelake("database", "upgrade", lake=tmp_path)
    again = candlelake("database", "upgrade", lake=tmp_path)

    assert first == (0, f"{file} is up to date now\n", "")
    assert again == (0, f"{file} was up to date\n", "")


def test_readers_are_told_by_name(postgres: Address, tmp_path: Path) -> None:
    address = new_database(postgres)

    granted = candlelake("database", "readers", "pg_monitor", lake=tmp_path, of=address)
    nobody = candlelake("database", "readers", "nobody_here", lake=tmp_path, of=address)
    unsafe = candlelake("database", "readers", 'x"; DROP TABLE bars', lake=tmp_path, of=address)
    embedded = candlelake("database", "readers", "anyone", lake=tmp_path)

    assert granted == (0, f"pg_monitor may read {address.shown}\n", "")
    assert nobody[0] == 1
    assert 'role "nobody_here" does not exist' in nobody[2]
    assert unsafe[0] == embedded[0] == 2
    assert "Traceback" not in nobody[2] + unsafe[2] + embedded[2]


def test_a_database_that_is_absent_or_refuses_is_one_line(
    postgres: Address, tmp_path: Path
) -> None:
    absent = replace(postgres, port=1)
    refusing = replace(postgres, password=SecretStr("not this one"))

    for address, said in ((absent, "can't be asked"), (refusing, "refuses us")):
        code, printed, told = candlelake("database", "upgrade", lake=tmp_path, of=address)

        assert (code, printed) == (1, "")
        assert len(told.splitlines()) == 1
        assert said in told
        assert "not this one" not in told
