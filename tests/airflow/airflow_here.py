"""The real Airflow of deploy/services/airflow.sh, in a folder and with settings of a test."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "deploy" / "services" / "airflow.sh"
DAGS = ROOT / "deploy" / "airflow" / "dags"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Airflow:
    """An Airflow in a folder.

    Attributes:
        folder: of its database and logs.
        settings: the Variable `candlelake`.
        variables: of the environment, beside those of whoever runs the tests.
    """

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str, seconds: float = 900) -> Done:
        """Run an airflow command."""
        return self._done("run", *words, seconds=seconds)

    def python(self, program: str, *words: str, given: Any = None) -> Any:
        """Run a module of this folder with Airflow's Python; return the JSON of its last line."""
        path = Path(__file__).parent / program
        done = self._done("python", str(path), *words, given=json.dumps(given))
        assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def test_run(self, dag: str, moment: str, **params: str) -> Done:
        """Run a whole DAG in one process, as `airflow dags test` does."""
        conf = ("--conf", json.dumps(params)) if params else ()
        return self.run("dags", "test", dag, moment, *conf)

    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CANDLELAKE_", "AIRFLOW"))
        }
        # Airflow's own Python finds its packages by itself
        kept.pop("PYTHONPATH", None)
        return {
            **kept,
            "CANDLELAKE_REQUIREMENTS": "dev",
            "AIRFLOW_VAR_CANDLELAKE": json.dumps(dict(self.settings)),
            **self.variables,
        }

    def _done(self, kind: str, *words: str, given: str | None = None, seconds: float = 900) -> Done:
        return subprocess.run(
            [str(SCRIPT), kind, str(self.folder), *words],
            env=self.environment(),
            input=given or "",
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
