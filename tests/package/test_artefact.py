"""The one artefact: the same files give the same bytes, and nothing but ours is in it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.package import JARS, LOG_STORE, without
from lake.beside import version
from lake.session import CONDITIONAL_COMMITS
from tests.aws.templates import ROOT

ROOMS = {"conf", "expectations", "extract", "jobs", "lake", "serve", "transform"}


def packed(home: Path, folder: Path) -> Path:
    """Make the artefact of a checkout."""
    done = subprocess.run(
        [sys.executable, str(home / "deploy" / "package.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(ROOT, tmp_path_factory.mktemp("artefact"))


def copied(target: Path) -> Path:
    """Copy what is packed elsewhere: other moments, other order, compiled files beside."""
    for room in (*ROOMS, "deploy", "requirements"):
        shutil.copytree(ROOT / room, target / room, copy_function=shutil.copy)
    shutil.copyfile(ROOT / "pyproject.toml", target / "pyproject.toml")
    (target / "jobs" / "__pycache__").mkdir(exist_ok=True)
    (target / "jobs" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    return target


def test_the_same_files_are_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    one = packed(copied(tmp_path / "one"), tmp_path / "a")
    two = packed(copied(tmp_path / "two"), tmp_path / "b")

    assert sha256(one / "candlelake.zip") == sha256(two / "candlelake.zip")
    changed = tmp_path / "two" / "conf" / "base.toml"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert sha256(one / "candlelake.zip") != sha256(
        packed(tmp_path / "two", tmp_path / "c") / "candlelake.zip"
    )


def test_only_our_packages_and_settings_are_in_it(artefact: Path) -> None:
    with ZipFile(artefact / "candlelake.zip") as file:
        names = file.namelist()
        texts = {name: file.read(name) for name in names}

    assert {name.partition("/")[0] for name in names} == ROOMS
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name]
    assert {"conf/base.toml", "serve/page/static/index.html"} <= set(names)
    assert "serve/database/migrations/env.py" in names
    assert not [name for name, text in texts.items() if str(ROOT).encode() in text]


def test_version_and_commit_are_stamped_into_it(artefact: Path) -> None:
    with ZipFile(artefact / "candlelake.zip") as file:
        stamped = file.read("lake/built.txt").decode().strip()

    assert stamped == (artefact / "VERSION").read_text(encoding="utf-8").strip() == version()
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9a-f]{12}(-changed)?)?", stamped)


def test_its_requirements_are_the_pinned_ones_without_what_spark_brings(artefact: Path) -> None:
    pinned = set(pins(ROOT / "requirements" / "runtime.txt"))
    listed = set(pins(artefact / "requirements.txt"))

    assert {one.partition("==")[0] for one in pinned - listed} == {"pyspark", "py4j"}
    assert listed < pinned
    assert without("a==1 \\\n    --hash=x\nb==2 \\\n    --hash=y\n", ("a",)) == (
        "b==2 \\\n    --hash=y\n"
    )


@pytest.mark.parametrize("name", JARS)
def test_a_jar_that_is_packed_is_pinned_in_its_list(name: str) -> None:
    group, file = JARS[name]
    listed = (ROOT / "conf" / f"{group}.txt").read_text(encoding="utf-8")

    assert re.search(
        rf"^sha256 [0-9a-f]{{64}} org.apache.spark_{re.escape(file)}$", listed, re.MULTILINE
    )
    assert name.removesuffix(".jar").rpartition("-")[2] in file


def with_jars(home: Path) -> Path:
    """Let a checkout compile its log store, and pack the jars of a Spark of AWS."""
    (home / ".venv").symlink_to(ROOT / ".venv")
    for group, file in JARS.values():
        (home / ".jars" / group).mkdir(parents=True)
        (home / ".jars" / group / f"org.apache.spark_{file}").write_bytes(b"fetched")
    (home / ".jars" / "jars").symlink_to(ROOT / ".jars" / "jars")
    environment = {**os.environ, "PYTHONPATH": str(home), "CANDLELAKE_REQUIREMENTS": "dev"}
    subprocess.run(
        [str(home / "deploy" / "log-store.sh")], env=environment, check=True, timeout=120
    )
    target = home / "packed"
    target.mkdir()
    words = [sys.executable, str(home / "deploy" / "package.py"), "--jars", str(target)]
    subprocess.run(words, env=environment, check=True, timeout=60)
    assert {path.name for path in target.iterdir()} == {*JARS, LOG_STORE}
    return target / LOG_STORE


def test_the_log_store_is_the_same_bytes_wherever_it_is_compiled(tmp_path: Path) -> None:
    one, two = (with_jars(copied(tmp_path / name)) for name in ("one", "two"))

    assert sha256(one) == sha256(two)
    with ZipFile(one) as file:
        assert file.namelist() == ["candlelake/ConditionalLogStore.class"]
        assert CONDITIONAL_COMMITS["spark.delta.logStore.s3a.impl"] == (
            file.namelist()[0].removesuffix(".class").replace("/", ".")
        )


def pins(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if "==" in line and not line.startswith(" ")]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("reconcile --check daily", ["--at", "2026-11-29T12:30:00Z"]),
        ("maintain --json", []),
        ("candlelake levels", []),
    ],
)
def test_a_service_starts_a_job_of_the_zip_and_hears_of_its_failure(
    artefact: Path, tmp_path: Path, command: str, more: list[str]
) -> None:
    """As Glue starts it: with arguments of its own around ours; the job ends at its settings."""
    words = f"{command} --env local --set lake.root={tmp_path} --set serve.port=none"

    done = subprocess.run(
        [
            *(sys.executable, str(artefact / "run_job.py"), "--JOB_NAME", "x"),
            *("--command", words, *more, "--TempDir", "s3://x/"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(artefact / "candlelake.zip")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert "candlelake: setting 'serve.port'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_runs_from_the_zip_alone(artefact: Path, tmp_path: Path) -> None:
    """Settings are read out of the zip, and what is unpacked on the way is gone afterwards."""
    program = (
        "import sys; sys.argv[:] = ['candlelake', *sys.argv[1:]]; import lake, jobs.cli;"
        " assert '.zip' in lake.__file__, lake.__file__; sys.exit(jobs.cli.main())"
    )
    environment = {key: value for key, value in os.environ.items() if "CANDLELAKE" not in key}
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    def told(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            cwd=tmp_path,
            env={
                **environment,
                "PYTHONPATH": str(artefact / "candlelake.zip"),
                "TMPDIR": str(temporary),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    asked = told("--version")
    lake = f"lake.root={tmp_path / 'lake'}"
    looked = told("doctor", "--env", "local", "--set", lake)

    assert asked.stdout == f"candlelake {version()}\n", asked.stderr
    assert looked.stdout == "bronze: 0 files read, 0 corrupt\n", looked.stderr
    assert list(temporary.iterdir()) == []
