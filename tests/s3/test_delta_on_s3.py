"""Tables, streams and bronze on S3 through Spark, by the project's own session and storage.

Everything happens in one process of its own (spark_on_s3.py); a test looks at one thing it saw.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lake.s3 import open_client
from tests.s3.real_server import ACCESS_KEY, ROOT, SECRET, S3Server, require

pytestmark = [pytest.mark.s3, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

BUCKET = "lake-of-tables"
SCRIPT = Path(__file__).with_name("spark_on_s3.py")
ODD_NAME = "a/b%41 é=.."

Seen = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def seen(shared_server: S3Server) -> Seen:
    """What the Spark process saw on the real server."""
    require(front_door("fetch_jars jars"))
    require(front_door("fetch_jars jars-s3"))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_server.environment.items():
            patch.setenv(name, value)
        open_client().create_bucket(Bucket=BUCKET)
        done = in_spark(SCRIPT, f"s3a://{BUCKET}/lake", ACCESS_KEY)
    assert done.returncode == 0, done.stderr[-4000:]
    assert SECRET not in done.stdout + done.stderr
    found: Seen = json.loads(done.stdout.splitlines()[-1])
    return found


def in_spark(script: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a script of this folder, with a session of its own, in this environment."""
    return subprocess.run(
        [sys.executable, str(script), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )


def front_door(words: str) -> subprocess.CompletedProcess[str]:
    """Run a function of the front door."""
    return subprocess.run(
        ["bash", "-c", f"source deploy/front-door.sh; {words}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_table_is_created_once(seen: Seen) -> None:
    assert seen["writes"]["exists before"] is False
    assert seen["writes"]["exists after"] is True


def test_a_repeated_append_adds_nothing(seen: Seen) -> None:
    assert seen["writes"]["append"] == [
        ["BTCUSDT", 1, "10.0000000000"],
        [ODD_NAME, 1, "7.0000000000"],
    ]


def test_a_merge_adds_what_is_new_and_keeps_what_came_first(seen: Seen) -> None:
    assert seen["writes"]["merge_new"] == [
        ["BTCUSDT", 1, "10.0000000000"],
        ["BTCUSDT", 2, "11.0000000000"],
        [ODD_NAME, 1, "7.0000000000"],
    ]


def test_an_upsert_replaces_what_is_known(seen: Seen) -> None:
    assert seen["writes"]["upsert"] == [
        ["BTCUSDT", 1, "10.0000000000"],
        ["BTCUSDT", 2, "12.0000000000"],
        [ODD_NAME, 1, "7.0000000000"],
        [ODD_NAME, 2, "8.0000000000"],
    ]


def test_a_replacement_touches_its_slice_alone(seen: Seen) -> None:
    assert seen["writes"]["replace"] == [
        ["BTCUSDT", 1, "10.0000000000"],
        [ODD_NAME, 1, "7.0000000000"],
        [ODD_NAME, 3, "9.0000000000"],
    ]


def test_a_stream_goes_on_from_its_checkpoint_in_s3(seen: Seen) -> None:
    changes = seen["changes"]

    # everything that was ever inserted or became a new value, in the order of the key
    assert changes["first run"] == [
        ["BTCUSDT", 1, "10.0000000000"],
        ["BTCUSDT", 2, "11.0000000000"],
        ["BTCUSDT", 2, "12.0000000000"],
        [ODD_NAME, 1, "7.0000000000"],
        [ODD_NAME, 2, "8.0000000000"],
        [ODD_NAME, 3, "9.0000000000"],
    ]
    assert changes["last run"] == sorted([*changes["first run"], ["BTCUSDT", 5, "13.0000000000"]])
    assert changes["checkpoint"][:2] == [
        "checkpoints/copies/commits/0",
        "checkpoints/copies/commits/1",
    ]
    assert changes["manager"].endswith(".AbortableStreamBasedCheckpointFileManager")


@pytest.mark.parametrize("way", ["folder", "stream"])
def test_encoded_names_of_bronze_survive_in_spark(seen: Seen, way: str) -> None:
    assert seen["bronze"][way] == [
        ["of ..", "%252E%252E~history~i1_2~t3_4.ndjson.gz"],
        ["of a/b", "a%252Fb~history~i1_2~t3_4.ndjson.gz"],
        ["of x%41 y+z", "x%252541%2520y%252Bz~history~i1_2~t3_4.ndjson.gz"],
        ["of x~y", "x%257Ey~history~i1_2~t3_4.ndjson.gz"],
    ]


def test_a_bronze_file_opens_by_its_encoded_name(seen: Seen) -> None:
    assert seen["bronze"]["one by one"] == ["of a/b", "of ..", "of x~y", "of x%41 y+z"]


@pytest.mark.parametrize("call", ["exists", "read", "append", "stream"])
@pytest.mark.parametrize(
    ("bucket", "meanings"),
    [
        (
            "badsecret",
            {"the secret does not belong to the access key", "S3 refused the access"},
        ),
        ("badkey", {"S3 does not know the access key", "S3 refused the access"}),
        ("gone", {"the connection to S3 was lost or never made"}),
        ("nobucket", {"the bucket does not exist"}),
    ],
)
def test_a_fault_is_one_clear_line_within_a_minute(
    seen: Seen, bucket: str, meanings: set[str], call: str
) -> None:
    told = seen["failures"][f"{bucket} {call}"]

    assert told["line"].partition(" [silver.prints]. ")[0] in meanings, told
    assert told["secret"] is False
    assert told["seconds"] < 60


def test_a_server_that_hangs_is_given_up_within_a_minute(seen: Seen) -> None:
    told = seen["failures"]["hung exists"]

    assert told["line"].startswith("the connection to S3 was lost or never made"), told
    assert 10 <= told["seconds"] < 60
