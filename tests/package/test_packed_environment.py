"""The packed environment of EMR Serverless and Glue: all its packages, on a driver and an executor.

It is built by the script that a newcomer runs, here with this machine's Python, and unpacked where
AWS unpacks it: in the working folder of each process. Spark's own Python packages are Spark's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pyspark
import pytest

from extract.replay.exchange import ReplayExchange
from tests.aws.templates import ROOT
from tests.front_door.commands import pointed_at
from tests.package.test_artefact import copied
from tests.package.test_job_from_artefact import begin_with, submitted
from tests.package.test_pipeline_from_artefact import BTCUSDT, CLUSTER, WINDOW

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

#: Stands in front of the job and says where its packages come from.
WHENCE = "import sys, deltalake; print('packages', sys.prefix, deltalake.__file__, flush=True)\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what deploy/package.sh makes of a copy of this checkout."""
    home = copied(tmp_path_factory.mktemp("packing") / "checkout")
    for name in (".venv", ".jars", ".tools"):
        (ROOT / name).mkdir(exist_ok=True)
        (home / name).symlink_to(ROOT / name)
    done = subprocess.run(
        [str(home / "deploy" / "package.sh"), "--environment"],
        env={**os.environ, "PYTHONPATH": str(home), "CANDLELAKE_REQUIREMENTS": "dev"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return home / "build" / "package"


def test_a_pipeline_certifies_with_the_packages_of_the_archive(
    package: Path, tmp_path: Path
) -> None:
    begin_with(package, WHENCE)
    archive, unpacked = package / "environment.tar.gz", tmp_path / "environment"
    unpacked.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", unpacked], check=True)
    with ReplayExchange() as exchange:
        done = submitted(
            package,
            tmp_path,
            *("pipeline", "--env", "local", *BTCUSDT, *WINDOW, *pointed_at(exchange)),
            *("--set", f"lake.root={tmp_path / 'lake'}", "--set", "extract.bar_interval=1h"),
            master=CLUSTER,
            options=("--archives", f"{archive}#environment"),
            # Python from the archive on both sides, as the state machine of AWS says
            variables={
                "SPARK_HOME": str(Path(pyspark.__file__).parent),
                "PYSPARK_PYTHON": "./environment/bin/python",
                "PATH": without_environment(),
            },
        )

    assert done.returncode == 0, done.stderr[-4000:]
    prefix, package_file = done.stdout.splitlines()[0].split()[1:]
    assert Path(prefix) == unpacked
    assert Path(package_file).is_relative_to(unpacked)
    assert "binance spot BTCUSDT 1h: 9 fields compared, 9 equal," in done.stdout


def without_environment() -> str:
    """Return the PATH without the tests' own environment: java alone is wanted of it."""
    java = shutil.which("java")
    assert java is not None
    return os.pathsep.join([str(Path(java).parent), "/usr/bin", "/bin"])
