"""Two commits of one version in S3: the second never takes the place of the first."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.s3.real_server import ROOT, S3Server, require
from tests.s3.test_delta_on_s3 import front_door, in_spark

pytestmark = [pytest.mark.s3, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).with_name("paused_commit.py")
FIRST, OTHER = ["BTCUSDT", 1, "10.0000000000"], ["BTCUSDT", 1, "10.0000000000"]
PAUSED = ["BTCUSDT", 2, "11.0000000000"]


def paused(server: S3Server, bucket: str, log_store: str) -> dict[str, Any]:
    require(front_door("fetch_jars jars-s3"))
    if log_store == "conditional":
        require(compiled())
    done = in_spark(SCRIPT, f"s3a://{bucket}/lake", log_store, server.endpoint)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compiled() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(ROOT / "deploy" / "log-store.sh")],
        env={**os.environ, "CANDLELAKE_REQUIREMENTS": "dev"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_commit_that_was_held_back_does_not_take_anothers_place(
    server: S3Server, bucket: str
) -> None:
    seen = paused(server, bucket, "conditional")

    assert seen["stands"]
    assert seen["rows"][:2] == [FIRST, OTHER]
    # it either says so and writes nothing, or comes behind as a version of its own
    assert (seen["version"], PAUSED in seen["rows"]) == ((2, False) if seen["said"] else (3, True))
    # a commit that was made and not confirmed may look refused: the next run finds it there
    assert seen["unanswered"]["said"][1] == ""
    assert seen["unanswered"]["rows"] == 1
    # S3 asks for another try where a request to the same name is under way; not for ever
    borne, given_up = seen["in conflict"]
    assert borne == {"said": "", "left": 0, "rows": 1, "versions": 1}
    assert "409" in given_up.pop("said")
    assert given_up == {"left": 0, "rows": 0, "versions": 0}


def test_without_the_condition_the_others_commit_is_lost(server: S3Server, bucket: str) -> None:
    """What the condition is for: with Delta's own log store of S3 the window is open."""
    seen = paused(server, bucket, "single-driver")

    assert not seen["stands"]
    assert (seen["said"], seen["version"], seen["rows"]) == ("", 2, [FIRST, PAUSED])
