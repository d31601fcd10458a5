"""How a task ends when its command does: done, tried again, or failed for good with its words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.airflow.airflow_here import Airflow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

GATE = (
    "candlelake: 3 differences are unexplained [ops.reconciliation]. Look at them.",
    "2026-11-29T10:00:00.000Z INFO jobs.reconciliation.reporting report /lake/qa/report.html",
)


class Checkout:
    """A folder with a program that does what a test wants."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._airflow = Airflow(home, variables={"AIRFLOW_CONN_SECRET": "http://hidden"})

    def ends(self, script: str, *words: str, kill_after_seconds: float | None = None) -> Any:
        """Run the operator on a program with this script."""
        program = self.folder / "program.sh"
        program.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
        program.chmod(0o755)
        return self.asked(program.name, *words, kill_after_seconds=kill_after_seconds)

    def asked(self, program: str, *words: str, kill_after_seconds: float | None = None) -> Any:
        """Run the operator on a program of this name."""
        given = {
            "checkout": str(self.folder),
            "program": program,
            "words": list(words),
            "kill_after_seconds": kill_after_seconds,
        }
        return self._airflow.python("operating.py", given=given)


@pytest.fixture
def checkout(tmp_path: Path, home: Path) -> Checkout:
    return Checkout(tmp_path, home)


def test_a_command_that_is_done_leaves_its_last_line(checkout: Checkout) -> None:
    told = checkout.ends('echo "files=$1 rows=$2$3"; echo', "3", "", "7")

    assert told["returned"] == "files=3 rows=7"


@pytest.mark.parametrize(
    ("code", "raised", "meaning"),
    [
        (1, "AirflowException", "the job failed"),
        (2, "AirflowFailException", "an option or a setting is wrong"),
        (3, "AirflowFailException", "a gate stopped the run"),
        (4, "AirflowException", "the exchange stayed unreachable"),
        (130, "AirflowException", "the job was interrupted"),
        (77, "AirflowException", "the job ended unexpectedly"),
    ],
)
def test_what_would_be_the_same_again_is_not_tried_again(
    checkout: Checkout, code: int, raised: str, meaning: str
) -> None:
    told = checkout.ends(f"echo going; echo 'candlelake: no way' >&2; exit {code}")

    assert told["raised"] == raised
    assert told["text"] == f"{meaning} (exit code {code}): no way"


def test_a_gate_says_what_it_found_and_where_the_certificate_is(checkout: Checkout) -> None:
    told = checkout.ends(f"echo '{GATE[1]}' >&2; echo '{GATE[0]}' >&2; exit 3")

    assert told["text"] == (
        "a gate stopped the run (exit code 3): 3 differences are unexplained [ops.reconciliation]."
        " Look at them. The certificate is in ops.reconciliation, its page: /lake/qa/report.html"
    )


def test_a_command_that_dies_without_a_word_shows_its_last_lines(checkout: Checkout) -> None:
    told = checkout.ends("echo one; echo two; echo three; echo four; kill -KILL $$")

    assert told["text"] == "the job ended unexpectedly (exit code -9): two | three | four"


def test_a_checkout_that_is_not_there_is_told_and_not_tried_again(checkout: Checkout) -> None:
    told = checkout.asked("spark-submit.sh")

    assert told["raised"] == "AirflowFailException"
    assert f"there is no {checkout.folder}/spark-submit.sh" in told["text"]


def test_a_command_gets_no_secret_and_no_package_of_airflow(checkout: Checkout) -> None:
    told = checkout.ends(
        'echo "[$AIRFLOW_CONN_SECRET$AIRFLOW_HOME] [$PYTHONPATH] [$TZ] [$SPARK_MASTER]"'
    )

    assert told["returned"] == f"[] [{checkout.folder}] [UTC] [spark://h:7077]"


def test_a_task_that_is_stopped_lets_its_command_end_with_all_it_has_started(
    checkout: Checkout,
) -> None:
    script = 'trap "echo landed; exit 0" TERM; echo $$; sleep 60 & echo $!; wait'

    told = checkout.ends(script, kill_after_seconds=1)

    assert told["returned"] == "landed"
    assert told["seconds"] < 20


def test_a_command_that_does_not_end_is_ended(checkout: Checkout) -> None:
    told = checkout.ends(
        f"trap '' TERM; echo $$ > '{checkout.folder}/pid'; while :; do sleep 0.2; done",
        kill_after_seconds=0.5,
    )

    assert told["raised"] == "AirflowException"
    process = int((checkout.folder / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
