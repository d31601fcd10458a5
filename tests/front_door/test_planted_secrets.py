"""Secrets are planted in the environment of every command, and looked for in all that it says.

What is cheap really runs; what would start Spark or serve for ever is stopped by a setting that
can't be: the message that tells of it is where a secret would show.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from jobs.cli import app
from tests.front_door.commands import MAIN, ROOT, environment

pytestmark = pytest.mark.slow

PLANTED = {
    "CANDLELAKE_KAFKA__PASSWORD": "pl4nted-of-kafka",
    "CANDLELAKE_KAFKA__KEY_PASSWORD": "pl4nted-of-a-key",
    "CANDLELAKE_SERVE__DATABASE_PASSWORD": "pl4nted-of-a-database",
    "CANDLELAKE_EXCHANGES__BINANCE__USDM__API_KEY": "pl4nted-of-binance",
    "AWS_ACCESS_KEY_ID": "AKIAPL4NTED",
    "AWS_SECRET_ACCESS_KEY": "pl4nted-of-aws",
    "AWS_SESSION_TOKEN": "pl4nted-of-a-session",
}
SIGN = b"pl4nted"
ONE = ("--exchange", "binance", "--kind", "usdm", "--instruments", "BTCUSDT")
WINDOW = ("--start", "2024-08-08T23:59:00Z", "--end", "2024-08-09T00:00:00Z")
NO_PORT = ("--set", "serve.port=none")
NOBODY = "postgresql://reader@127.0.0.1:9/candlelake"
#: What is cheap, and the words it is run with; every other command gets a wrong setting.
RUN = {
    "extract": (*ONE, *WINDOW, "--datasets", "trades"),
    "extract history": ("--exchange", "binance", "--kind", "spot", "--instruments", "ETHUSDT"),
    "extract minute": ("--once",),
    "extract live": (*ONE, "--streams", "aggTrade", "--lifetime", "2s"),
    "plan": (*ONE, *WINDOW),
    "status": (),
    "doctor": (),
    "list-data": (),
    "ddl": ("--engine", "duckdb"),
    "replay": ("--holdings",),
    "api-key new": ("--name", "me"),
    "api-key list": (),
    "database upgrade": ("--set", f"serve.database_url={NOBODY}"),
    "database readers": ("reader", "--set", f"serve.database_url={NOBODY}"),
}
#: What another command wants said before it looks at its settings.
WANTED = {
    "sql": ("select 1",),
    "compare": ("other",),
    "backup make": ("copy",),
    "backup restore": ("copy",),
    "reconcile": ("--check", "bars"),
    "rebuild": ("--table", "silver.trades"),
    "extract bulk": ("--start-timestamp", "0", "--end-timestamp", "1", "--data-type", "trades"),
    "quarantine discard": ("--where", "true"),
    "conflicts keep": ("--where", "true"),
    "conflicts correct": ("--where", "true"),
    "incidents add": (
        *("--exchange", "binance", "--cause", "maintenance"),
        *("--start", "2024-01-01", "--title", "x"),
    ),
    "incidents change": ("x",),
    "incidents close": ("x",),
    "incidents withdraw": ("x",),
}
#: What `spark-submit.sh` takes for a job.
JOBS = sorted(
    path.stem
    for path in (ROOT / "jobs").glob("[a-z]*.py")
    if re.search(r"^if __name__ ==", path.read_text(encoding="utf-8"), re.MULTILINE)
)


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if path and (not inner or command.invoke_without_command):
        yield " ".join(path)
    for name, one in inner.items():
        yield from leaves(one, (*path, name))


def run(words: list[str], folder: Path) -> tuple[int, bytes]:
    """Run a program with the secrets planted; return its exit code and all that it said."""
    settings = {
        "CANDLELAKE_LAKE__ROOT": str(folder / "lake"),
        "CANDLELAKE_SERVE__KEYS_FILE": str(folder / "keys"),
    }
    done = subprocess.run(
        words,
        cwd=ROOT,
        env={**environment(), **PLANTED, **settings, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def traces(folder: Path) -> list[str]:
    """Return the files in which a planted secret stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path) for path in files if SIGN in content(path)]


def content(path: Path) -> bytes:
    held = path.read_bytes()
    return held + gzip.decompress(held) if path.suffix == ".gz" else held


@pytest.mark.parametrize("name", list(leaves(get_command(app))))
def test_a_command_says_and_keeps_no_secret(name: str, tmp_path: Path) -> None:
    words = RUN.get(name, (*WANTED.get(name, ()), *NO_PORT))

    code, said = run([sys.executable, "-c", MAIN, *name.split(), *words], tmp_path)

    assert SIGN not in said
    assert b"Traceback" not in said
    assert traces(tmp_path) == []
    if name not in RUN:
        assert code == 2, said
        assert b"setting 'serve.port'" in said, said


@pytest.mark.parametrize("name", JOBS)
def test_a_job_says_no_secret(name: str, tmp_path: Path) -> None:
    wanted = WANTED.get(name, ())

    code, said = run([sys.executable, "-m", f"jobs.{name}", *wanted, *NO_PORT], tmp_path)

    assert SIGN not in said
    assert code == 2, said
    assert b"setting 'serve.port'" in said


@pytest.mark.parametrize(
    "wrong",
    ["kafka.password=", "serve.database_password=", "exchanges.binance.usdm.api_key="],
)
def test_a_wrong_setting_beside_a_secret_shows_none(wrong: str, tmp_path: Path) -> None:
    name = wrong.removesuffix("=")
    sets = ["--set", f"{name}s=pl4nted-too", "--set", f"{name}=pl4nted-too"]

    code, said = run([sys.executable, "-c", MAIN, "doctor", *sets], tmp_path)

    assert code == 2
    assert f"unknown setting '{name}s'".encode() in said
    assert SIGN not in said


def test_a_secret_in_a_file_of_settings_is_refused_and_not_shown(tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    for file in (ROOT / "conf").glob("*.toml"):
        text = file.read_text(encoding="utf-8")
        own = '\n[kafka]\npassword = "pl4nted-in-a-file"\n' if file.stem == "local" else ""
        (conf / file.name).write_text(text + own, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "doctor", "--env", "local"],
        cwd=ROOT,
        env={**environment(), "CANDLELAKE_CONF": str(conf)},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert b"the secret kafka.password stands in the file" in done.stderr
    assert SIGN not in done.stdout + done.stderr
