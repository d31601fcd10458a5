"""The front door on a real S3 server: the same command, the same candles, and one line a fault."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from lake.s3 import open_client
from tests.s3.real_server import ROOT, SECRET, S3Server

pytestmark = [pytest.mark.s3, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1200)]

HOUR = ("--start", "2024-01-01T00:00:00Z", "--end", "2024-01-01T01:00:00Z")


def run(
    server: S3Server, root: str, *words: str, **changed: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        **server.environment,
        "CANDLELAKE_REQUIREMENTS": "dev",
        **changed,
    }
    return subprocess.run(
        [str(ROOT / "spark-submit.sh"), *words, "--set", f"lake.root={root}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_lake_on_s3_has_the_exchanges_own_candles(server: S3Server, bucket: str) -> None:
    root = f"s3a://{bucket}/lake"

    done = run(server, root, "pipeline", *HOUR)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "binance spot BTCUSDT 1h: 9 fields compared, 9 equal," in done.stdout
    assert "0 unexplained: 100.00 %" in done.stdout
    assert SECRET not in done.stdout + done.stderr
    keys = {
        entry["Key"].split("/")[1]
        for entry in open_client().list_objects_v2(Bucket=bucket)["Contents"]
    }
    assert {"bronze", "silver", "gold", "ops", "checkpoints"} <= keys


def test_a_reconciliation_on_s3_leaves_its_page_and_both_sides(
    server: S3Server, bucket: str
) -> None:
    root = f"s3a://{bucket}/lake"
    assert run(server, root, "pipeline", *HOUR).returncode == 0

    wanted = ("--check", "archive", "--datasets", "agg_trades")
    done = run(server, root, "reconcile", *wanted, *HOUR)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "0 unexplained" in done.stdout
    client = open_client()
    listed = client.list_objects_v2(Bucket=bucket, Prefix="lake/ops/qa/")["Contents"]
    pages = [entry["Key"] for entry in listed if entry["Key"].endswith("/report.html")]
    assert len(pages) == 1, listed
    page = client.get_object(Bucket=bucket, Key=pages[0])["Body"].read().decode()
    assert "BTCUSDT" in page
    assert any(entry["Key"].endswith(".parquet") for entry in listed)


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The only line that a fault leaves for the user."""
    assert done.returncode == 1, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    said = (line for line in done.stderr.splitlines() if line.startswith("candlelake: "))
    lines = [line for line in said if not line.endswith("(first run)")]
    assert len(lines) == 1, done.stderr[-3000:]
    return lines[0]


def test_wrong_credentials_are_one_clear_line(server: S3Server, bucket: str) -> None:
    done = run(server, f"s3a://{bucket}/lake", "pipeline", *HOUR, AWS_SECRET_ACCESS_KEY="wrong")

    assert "the secret does not belong to the access key" in told(done)
    assert "wrong" not in done.stdout


def test_a_missing_bucket_is_one_clear_line(server: S3Server) -> None:
    assert "the bucket does not exist" in told(
        run(server, "s3a://no-such-bucket/lake", "pipeline", *HOUR)
    )


def test_a_lost_connection_is_one_clear_line(server: S3Server, bucket: str) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody.getsockname()[1]}"

        done = run(server, f"s3a://{bucket}/lake", "pipeline", *HOUR, AWS_ENDPOINT_URL=address)

    assert "the connection to S3 was lost or never made" in told(done)


def test_a_server_that_dies_under_spark_is_one_clear_line(
    fresh_server: S3Server, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fresh_server.environment.items():
            patch.setenv(name, value)
        open_client().create_bucket(Bucket="lake-that-dies")
    command = [str(ROOT / "spark-submit.sh"), "pipeline", *HOUR]
    victim = subprocess.Popen(
        [*command, "--set", "lake.root=s3a://lake-that-dies/lake"],
        env={**os.environ, **fresh_server.environment, "CANDLELAKE_REQUIREMENTS": "dev"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert victim.stderr is not None
    seen = []
    for line in victim.stderr:
        seen.append(line)
        if "jobs.extraction.run bronze files=" in line:
            fresh_server.stop()
    said = "".join(seen)
    victim.communicate()

    done = subprocess.CompletedProcess(command, victim.returncode, "", said)
    assert "the connection to S3 was lost or never made" in told(done)
