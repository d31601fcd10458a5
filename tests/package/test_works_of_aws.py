"""What AWS runs each hour and each day, by the template's own words, on a real S3 server.

Out of the package, submitted as EMR Serverless does, with the jar of the log store that is packed;
S3A, which Spark has there, is Apache's here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from deploy.package import LOG_STORE
from tests.aws.templates import ROOT, Template
from tests.package.test_artefact import packed
from tests.package.test_job_from_artefact import without_checkout
from tests.s3.real_server import S3Server, require, service

pytestmark = [pytest.mark.s3, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1200)]

BUCKET = "lake-of-aws"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    require(service("install"))
    folder = tmp_path_factory.mktemp("s3")
    running = S3Server(require(service("start", str(folder))), folder)
    yield running
    running.stop()


def client(server: S3Server) -> Any:
    given = server.environment
    session: Any = boto3.Session(
        given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    return session.client("s3", endpoint_url=server.endpoint)


def jars() -> str:
    """Return Delta and S3A, which AWS has, and the log store, which the package brings."""
    fetch = "source deploy/front-door.sh; fetch_jars jars; fetch_jars jars-s3; deploy/log-store.sh"
    require(
        subprocess.run(
            ["bash", "-e", "-c", fetch],
            cwd=ROOT,
            env={**os.environ, "CANDLELAKE_REQUIREMENTS": "dev"},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
    )
    folder = ROOT / ".jars"
    found = [*(folder / "jars").glob("*.jar"), *(folder / "jars-s3").glob("*.jar")]
    return ",".join(map(str, [*sorted(found), folder / "log-store" / LOG_STORE]))


def submitted(
    server: S3Server, artefact: Path, folder: Path, words: list[str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            str(Path(sys.executable).parent / "spark-submit"),
            *("--master", "local[2]", "--driver-memory", "1g"),
            *("--py-files", str(artefact / "candlelake.zip"), "--jars", jars()),
            *(str(artefact / "run_job.py"), *words),
        ],
        cwd=folder,
        env={**without_checkout(), **server.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )


def test_refining_makes_the_tables_and_maintenance_keeps_them(
    server: S3Server, tmp_path: Path
) -> None:
    artefact = packed(ROOT, tmp_path / "artefact")
    machine = Template("spark", {"LakeBucket": BUCKET}).of_type("StepFunctions::StateMachine")
    states = json.loads(machine["Steps"]["DefinitionString"])["States"]
    s3 = client(server)
    s3.create_bucket(Bucket=BUCKET)

    refined = submitted(server, artefact, tmp_path, states["RefineOnEmr"]["Result"])
    assert refined.returncode == 0, refined.stderr[-4000:]
    kept = submitted(server, artefact, tmp_path, states["MaintainOnEmr"]["Result"])

    assert kept.returncode == 0, kept.stderr[-4000:]
    told = [json.loads(line) for line in kept.stdout.splitlines() if line.startswith("{")]
    assert {"silver.trades", "gold.ohlcv", "ops.runs"} <= {one["table"] for one in told}
    keys = [
        one["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="lake/")
        for one in page["Contents"]
    ]
    assert "lake/gold/ohlcv/_delta_log/00000000000000000000.json" in keys
