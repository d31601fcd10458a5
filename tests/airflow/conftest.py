"""Airflow's packages are installed once, before a test's own time begins to count."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.airflow.airflow_here import SCRIPT, Airflow
from tests.queues.sqs_server import service


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose Airflow has its database and its pools."""
    done = service(SCRIPT.name, "install")
    assert done.returncode == 0, done.stderr
    folder = tmp_path_factory.mktemp("airflow")
    listed = Airflow(folder).run("pools", "list")
    assert listed.returncode == 0, listed.stderr
    return folder
