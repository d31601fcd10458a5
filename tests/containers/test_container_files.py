"""Compose files by Compose's own loader, Dockerfiles by hadolint: what Docker itself would say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHECK = Path("deploy/containers/check.sh")
FILES = ("compose.yaml", "compose.test.yml", "deploy/cluster/compose.yaml")


def check(*words: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(root / CHECK), *words], capture_output=True, text=True, check=False, timeout=580
    )


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    done = check("install")
    if done.returncode != 0:
        reason = f"the checkers can't be had here: {done.stderr.strip()[-300:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A checkout whose container files may be broken."""
    for entry in ROOT.iterdir():
        if entry.name not in ("deploy", "Dockerfile", "data", ".git", *FILES):
            (tmp_path / entry.name).symlink_to(entry)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    for name in ("Dockerfile", *FILES[:2]):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def test_compose_and_hadolint_have_nothing_to_say() -> None:
    done = check()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("file", FILES)
def test_compose_understands_it_as_it_is_meant(file: str) -> None:
    model = model_of(file)

    ports = [port for one in model["services"].values() for port in one.get("ports", ())]
    assert {port["host_ip"] for port in ports} <= {"127.0.0.1"}
    assert ("from-the-environment" in json.dumps(model)) is (file != "compose.test.yml")
    # a worker is asked by the name of its own container: the variable is left to the shell in it
    asked = [one for one in model["services"].values() if "inspect ping" in json.dumps(one)]
    assert all("celery@$HOSTNAME" in one["healthcheck"]["test"][1] for one in asked)
    assert len(asked) == (file != "compose.test.yml")


def model_of(file: str) -> dict[str, Any]:
    done = check("model", file)
    assert done.returncode == 0, done.stderr
    model: dict[str, Any] = json.loads(done.stdout)
    return model


@pytest.mark.parametrize(
    ("file", "was", "becomes", "said"),
    [
        ("compose.yaml", "retries: 20}", "retrys: 20}", "retrys"),
        ("compose.yaml", "{redis: {condition: service_healthy}}", "[nobody]", "nobody"),
        ("compose.test.yml", "shm_size: 1gb", "shm_size: much", "much"),
        ("deploy/cluster/compose.yaml", "replicas: 2", "replicas: two", "two"),
        ("Dockerfile", "WORKDIR /candlelake", "WORKDIR candlelake", "DL3000"),
    ],
)
def test_what_is_wrong_is_told(copied: Path, file: str, was: str, becomes: str, said: str) -> None:
    path = copied / file
    text = path.read_text(encoding="utf-8")
    assert was in text
    path.write_text(text.replace(was, becomes), encoding="utf-8")

    done = check(root=copied)

    assert done.returncode == 1
    assert said in done.stderr
