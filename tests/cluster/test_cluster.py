"""The cluster of deploy/cluster.sh: the same rows as one process, also where workers are killed."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster.processes import environment_of, listening_at, processes_of

pytestmark = [pytest.mark.spark, pytest.mark.s3, pytest.mark.slow, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "cluster.sh"
HOURS = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T02:00:00Z")
WAIT_SECONDS = 600
#: Where the pipeline is in the middle: the first of its tables has been written, the last has not.
AMIDST = "jobs.silver"


@dataclass
class Cluster:
    """A cluster that has brought two hours through, lost two workers on the way, and is gone."""

    folder: Path
    said: list[str] = field(default_factory=list)
    answered: str = ""
    compared: subprocess.CompletedProcess[str] | None = None
    addresses: dict[str, set[str]] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)

    def call(self, word: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), word, str(self.folder), *more],
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )

    def run(self) -> int:
        """Send two hours through and kill a worker of each kind while it works."""
        process = subprocess.Popen(
            [str(SCRIPT), "run", str(self.folder), *HOURS],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        answers: list[str] = []
        reader = threading.Thread(target=answers.extend, args=(process.stdout,))
        reader.start()
        for line in process.stderr:
            self.said.append(line)
            if "trades by id" in line:
                self.kill_when("celery-worker-1", "received")
            elif AMIDST in line and "spark-worker-1" not in self.killed:
                self.kill("spark-worker-1")
        reader.join()
        self.answered = "".join(answers)
        return process.wait()

    def kill_when(self, part: str, text: str) -> None:
        """Kill a worker once its log has a text."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in (self.folder / part / "log").read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.kill(part)

    def kill(self, part: str) -> None:
        os.kill(self.process(part), signal.SIGKILL)
        self.killed.append(part)

    def process(self, part: str) -> int:
        return int((self.folder / part / "pid").read_text())

    def look(self) -> None:
        """Keep what can only be seen while it runs."""
        for path in self.folder.glob("*/pid"):
            self.environments[path.parent.name] = environment_of(int(path.read_text()))
        for process, command in processes_of(self.folder).items():
            self.addresses[command] = listening_at(process)
        for path in self.folder.glob("*/pid"):
            self.addresses[path.parent.name] = listening_at(int(path.read_text()))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """Everything once, for it takes minutes: up, run with kills, compare, down."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    started = cluster.call("up")
    try:
        if started.returncode != 0:
            reason = f"no cluster can be run here: {started.stderr.strip()[-300:]}"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        cluster.look()
        assert cluster.run() == 0, "".join(cluster.said)[-3000:]
        cluster.compared = cluster.call("compare")
    finally:
        stopped = cluster.call("down")
    assert (stopped.returncode, stopped.stdout) == (0, ""), stopped.stderr
    cluster.left = processes_of(cluster.folder)
    return cluster


def test_every_row_is_that_of_one_process(cluster: Cluster) -> None:
    done = cluster.compared
    assert done is not None
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]

    lines = done.stdout.splitlines()
    rows = {
        name: int(count)
        for name, count in re.findall(r"^(\S+): (\d+) rows, identical$", done.stdout, re.MULTILINE)
    }
    assert lines[-1] == f"identical: {len(rows)} tables, {sum(rows.values())} rows"
    # by Celery, over Kafka, from the exchange's own bars, refined, and published to PostgreSQL
    assert rows["silver.agg_trades"] > 50_000
    assert rows["silver.trades"] == 6_770
    assert rows["silver.klines"] == 2
    assert rows["gold.ohlcv"] > 120
    assert rows["serve.bars"] > 120


def test_two_workers_were_killed_in_the_middle(cluster: Cluster) -> None:
    assert cluster.killed == ["celery-worker-1", "spark-worker-1"]
    said = "".join(cluster.said)
    assert "Lost executor" in said
    assert said.index("Lost executor") < said.rindex("jobs.")
    assert "0 different, 0 unexplained: 100.00 %" in cluster.answered


def test_everything_listens_on_this_machine_alone(cluster: Cluster) -> None:
    named = set(cluster.environments)

    assert {"s3", "redis", "kafka", "postgres", "exchange", "spark-master"} <= named
    assert {f"{kind}-worker-{number}" for kind in ("celery", "spark") for number in (1, 2)} <= named
    assert cluster.addresses["spark-master"]
    assert set().union(*cluster.addresses.values()) == {"127.0.0.1"}


def test_workers_have_our_code_by_what_is_shipped(cluster: Cluster) -> None:
    python = cluster.folder / "python" / "bin" / "python"
    seen = subprocess.run(
        [str(python), "-c", "import pyarrow, pyspark, lake"],
        cwd=cluster.folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "No module named 'lake'" in seen.stderr
    for number in (1, 2):
        assert "PYTHONPATH" not in cluster.environments[f"spark-worker-{number}"]
        celery = cluster.environments[f"celery-worker-{number}"]
        assert celery["PYTHONPATH"] == str(cluster.folder / "code")
    assert list(cluster.folder.glob("spark-worker-2/*/app-*/*/candlelake.zip"))


def test_secrets_are_ours_alone_and_in_no_log(cluster: Cluster) -> None:
    kept = [cluster.folder / "secret", cluster.folder / "postgres" / "password"]
    secrets = [path.read_text().strip() for path in kept]
    files = [*kept, cluster.folder / "environment"]

    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    logs = [*cluster.folder.rglob("log"), *cluster.folder.rglob("std*")]
    assert len(logs) > 10
    told = "".join(path.read_text(errors="replace") for path in logs)
    told += "".join(cluster.said) + cluster.answered + str(cluster.compared)
    assert [secret for secret in secrets if secret in told] == []


def test_down_leaves_nothing_running(cluster: Cluster) -> None:
    assert cluster.left == {}
    assert list(cluster.folder.glob("*/pid")) == []


def test_the_document_shows_these_commands() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")

    shown = re.findall(r"^    deploy/cluster\.sh (\w+) ", text, re.MULTILINE)
    assert shown == ["up", "run", "compare", "down"]
