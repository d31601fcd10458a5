"""The cluster of deploy/cluster.sh: the same rows as one process, also where workers are killed."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.processes import environment_of, listening_at, processes_of

pytestmark = [pytest.mark.spark, pytest.mark.s3, pytest.mark.slow, pytest.mark.timeout(2400)]

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "cluster.sh"
HOURS = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T02:00:00Z")
#: An executor that has done so many tasks of the pipeline has a part of silver behind it, and
#: gold before it.
TASKS_DONE = 50
#: Code that runs once is compiled quickly, not well: as in the tests' own session.
QUICKLY = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=512m"
#: Inherited by every process of the cluster.
MARKER = f"CLUSTER_OF_TEST={uuid4().hex}"


@dataclass
class Cluster:
    """A cluster that has brought two hours through, lost two workers on the way, and is gone."""

    folder: Path
    ended: int = -1
    compared: subprocess.CompletedProcess[str] | None = None
    stopped: subprocess.CompletedProcess[str] | None = None
    addresses: dict[str, set[str]] = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)
    left: dict[int, str] = field(default_factory=dict)

    def call(self, word: str, *more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), word, str(self.folder), *more],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )

    @property
    def environment(self) -> dict[str, str]:
        name, _, value = MARKER.partition("=")
        mine = {key: one for key, one in os.environ.items() if not key.startswith("CANDLELAKE_")}
        return {**mine, name: value, "JAVA_TOOL_OPTIONS": QUICKLY, "CANDLELAKE_REQUIREMENTS": "dev"}

    def run(self) -> int:
        """Send two hours through and kill a worker of each kind while it works."""
        with self.said.open("w") as said, self.answered.open("w") as answered:
            process = subprocess.Popen(
                [str(SCRIPT), "run", str(self.folder), *HOURS],
                env=self.environment,
                stdout=answered,
                stderr=said,
            )
            celery = (1, "celery-worker-1/log", "received")
            spark = (TASKS_DONE, "spark-worker-1/*/app-*-0001/*/stderr", "Finished task")
            self.kill_when(process, "celery-worker-1", *celery)
            self.kill_when(process, "spark-worker-1", *spark)
            return process.wait()

    def kill_when(
        self, process: subprocess.Popen[bytes], part: str, times: int, logs: str, text: str
    ) -> None:
        """Kill a worker as soon as its logs have a text so often, while the run goes on."""
        while process.poll() is None:
            if sum(log.read_text().count(text) for log in self.folder.glob(logs)) >= times:
                os.kill(int((self.folder / part / "pid").read_text()), signal.SIGKILL)
                self.killed.append(part)
                return
            time.sleep(0.05)

    @property
    def said(self) -> Path:
        return self.folder / "said"

    @property
    def answered(self) -> Path:
        return self.folder / "answered"

    def look(self) -> None:
        """Keep what can only be seen while it runs."""
        for path in self.folder.glob("*/pid"):
            self.environments[path.parent.name] = environment_of(int(path.read_text()))
        for process, command in processes_of(self.folder, MARKER).items():
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
        cluster.ended = cluster.run()
        cluster.compared = cluster.call("compare")
    finally:
        cluster.stopped = cluster.call("down")
    cluster.left = processes_of(cluster.folder, MARKER)
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
    said = cluster.said.read_text()
    assert cluster.ended == 0, said[-3000:]
    assert cluster.killed == ["celery-worker-1", "spark-worker-1"]
    assert "Lost executor" in said
    assert said.index("Lost executor") < said.rindex("INFO jobs.")
    assert "0 different, 0 unexplained: 100.00 %" in cluster.answered.read_text()


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
        for kind in ("spark", "celery"):
            environment = cluster.environments[f"{kind}-worker-{number}"]
            assert "CANDLELAKE_SERVE__DATABASE_PASSWORD" not in environment
    assert list(cluster.folder.glob("spark-worker-2/*/app-*/*/candlelake.zip"))


def test_secrets_are_ours_alone_and_in_no_log(cluster: Cluster) -> None:
    kept = [cluster.folder / "secret", cluster.folder / "postgres" / "password"]
    secrets = [path.read_text().strip() for path in kept]
    files = [*kept, cluster.folder / "environment"]

    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    logs = [*cluster.folder.rglob("log"), *cluster.folder.rglob("std*")]
    assert len(logs) > 10
    told = "".join(path.read_text(errors="replace") for path in logs)
    told += cluster.said.read_text() + cluster.answered.read_text() + str(cluster.compared)
    assert [secret for secret in secrets if secret in told] == []


def test_down_leaves_nothing_running(cluster: Cluster) -> None:
    done = cluster.stopped
    assert done is not None
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert cluster.left == {}
    assert list(cluster.folder.glob("*/pid")) == []


def test_the_document_shows_these_commands() -> None:
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")

    shown = re.findall(r"^    deploy/cluster\.sh (\w+) ", text, re.MULTILINE)
    assert shown == ["up", "run", "compare", "down"]
