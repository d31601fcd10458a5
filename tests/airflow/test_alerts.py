"""Who hears of a task that has failed, and what happens where nobody can be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.airflow_here import Airflow
from tests.airflow.webhook import webhook
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TOLD = "candlelake: a_dag.a_task of a_run has failed: the gate"


def alert(home: Path, address: str | None) -> list[str]:
    """Let a task fail where this is the webhook; return what is logged."""
    variables = {} if address is None else {"AIRFLOW_VAR_CANDLELAKE_WEBHOOK_SECRET": address}
    lines: list[str] = Airflow(home, variables=variables).python("alerting.py", given="the gate")
    return lines


def test_without_a_webhook_the_log_is_told(home: Path) -> None:
    assert alert(home, None) == [TOLD]


def test_a_webhook_is_told_what_failed_why_and_where_the_log_is(home: Path) -> None:
    with webhook() as (address, taken):
        lines = alert(home, address)

    assert lines == [TOLD, "told the webhook: HTTP 204"]
    assert taken == [
        {
            "text": TOLD,
            "dag": "a_dag",
            "task": "a_task",
            "run": "a_run",
            "reason": "the gate",
            "log": "http://log",
        }
    ]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/token", "ftp://token", "token", "http://"]
)
def test_a_webhook_that_can_not_be_told_fails_nothing_and_its_address_stays_hidden(
    home: Path, address: str
) -> None:
    lines = alert(home, address.format(port=free_port()))

    assert lines[0] == TOLD
    assert len(lines) == 2
    assert "told" in lines[1]
    assert "token" not in lines[1]
