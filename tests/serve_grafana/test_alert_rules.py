"""Prometheus itself reads the committed alerts, their tests and the metrics that they ask for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from jobs.levels.printing import put_metrics
from tests.jobs.test_levels import found, promised
from tests.serve_grafana.conftest import PROMETHEUS, ROOT

pytestmark = pytest.mark.slow


def promtool(*words: str, given: str = "") -> None:
    held = ROOT / ".tools" / "prometheus" / "usr" / "bin" / "promtool"
    done = subprocess.run(
        [str(held) if held.exists() else "promtool", *words],
        cwd=PROMETHEUS,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_pass_promtool(prometheus_installed: None) -> None:
    # the file of the key is its user's
    promtool("check", "config", "--syntax-only", "prometheus.yml")
    promtool("check", "rules", "alerts.yml", "serving-alerts.yml", "level-alerts.yml")
    promtool("test", "rules", "serving-alerts.test.yml", "level-alerts.test.yml")


def test_the_metrics_of_the_levels_pass_promtool(
    prometheus_installed: None, tmp_path: Path
) -> None:
    path = tmp_path / "levels.prom"
    put_metrics(path, found(), promised(), [])

    promtool("check", "metrics", given=path.read_text(encoding="utf-8"))
