"""The command that serves SQL sees what is new, ends when it is told to, and says what it lacks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lake.tables import GOLD_OHLCV, SILVER_INSTRUMENTS, SILVER_TRADES
from tests.serve_files.small_lake import bar, listing, small_lake, trade, written
from tests.serve_files.sql_server import (
    PATIENCE_SECONDS,
    Server,
    command,
    listening_on,
    own_environment,
    serving,
    wait_until_gone,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BARS = "SELECT count(*) FROM gold.ohlcv"


def test_new_rows_and_tables_are_served_until_sigterm(tmp_path: Path) -> None:
    lake, folder = tmp_path / "lake", tmp_path / "folder"
    folder.mkdir()
    written(lake, GOLD_OHLCV, [bar(0, "1"), bar(1, "2")])
    with serving(lake, folder, "--refresh-seconds", "1") as server:
        assert server.ask("SHOW TABLES IN silver") == []
        assert server.ask(BARS) == server.ask(f"{BARS}_by_end") == [(2,)]

        written(lake, GOLD_OHLCV, [bar(2, "3")])
        written(lake, SILVER_INSTRUMENTS, [listing("BTCUSDT")])
        written(lake, SILVER_TRADES, [trade(1, 5, "42283.58")])

        assert server.ask(BARS) == server.ask(f"{BARS}_by_end") == [(3,)]
        assert names_of(server, {"instruments", "trades", "trades_known"})
        known = "SELECT trade_id FROM trades_as_of(current_timestamp())"
        assert server.ask(known) == [("1",)]

        server.process.send_signal(signal.SIGTERM)
        ended(server)


def names_of(server: Server, wanted: set[str]) -> bool:
    patient_until = time.monotonic() + 2 * PATIENCE_SECONDS
    while time.monotonic() < patient_until:
        if {name for _, name, _ in server.ask("SHOW TABLES IN silver")} >= wanted:
            return True
        time.sleep(0.5)
    return False


def ended(server: Server) -> None:
    """Nothing of it runs or listens, and nothing lies where it ran."""
    wait_until_gone(server.process)
    assert [listening_on(port) for port in server.ports] == [set(), set()]
    assert [path.name for path in server.errors.parent.iterdir()] == ["errors"]
    told = server.errors.read_text()
    assert "Traceback" not in told
    assert " ERROR " not in told


def test_an_interrupt_at_the_terminal_ends_it(tmp_path: Path) -> None:
    """A terminal sends it to the whole group: the script's JVM and Python at once."""
    folder = tmp_path / "folder"
    folder.mkdir()
    small_lake(tmp_path / "lake")
    with serving(tmp_path / "lake", folder) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        ended(server)


@pytest.mark.parametrize("option", ["--thrift-port", "--connect-port"])
def test_a_taken_port_is_told_in_one_line(tmp_path: Path, option: str) -> None:
    small_lake(tmp_path / "lake")
    other = {"--thrift-port", "--connect-port"} - {option}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command(tmp_path / "lake", option, port, *other, "0"),
            cwd=tmp_path,
            env=own_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    (line,) = [line for line in done.stderr.splitlines() if line.startswith("candlelake: ")]
    assert line.startswith(f"candlelake: the port {port} can't be listened on: Address already in")
    assert "name others: --thrift-port, --connect-port" in line
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (1, "")
