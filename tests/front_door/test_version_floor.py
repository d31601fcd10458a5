"""The sets of Spark and Delta that stand for managed runtimes are those that the ADR names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETS = {"emr": ("4.0.2", "4.0.0"), "glue": ("4.1.1", "4.2.0")}


def test_each_set_is_a_folder() -> None:
    assert {folder.name for folder in (ROOT / "deploy" / "floors").iterdir()} == set(SETS)


@pytest.mark.parametrize("name", SETS)
def test_a_set_pins_the_packages_and_the_jar_of_its_runtime(name: str) -> None:
    spark, delta = SETS[name]
    folder = ROOT / "deploy" / "floors" / name
    packages = dict(
        re.findall(
            r"^([a-z0-9-]+)==(\S+)", (folder / "requirements.txt").read_text("utf-8"), re.MULTILINE
        )
    )
    lines = (folder / "jars.txt").read_text(encoding="utf-8").splitlines()

    assert packages.keys() == {"pyspark", "delta-spark", "py4j"}
    assert (packages["pyspark"], packages["delta-spark"]) == (spark, delta)
    assert any(re.fullmatch(rf"package io\.delta:delta-spark_\S+:{delta}", line) for line in lines)
    jar = re.compile(rf"sha256 [0-9a-f]{{64}} io\.delta_delta-spark_\S+-{delta}\.jar")
    assert any(jar.fullmatch(line) for line in lines)


def test_the_adr_names_each_version() -> None:
    text = (ROOT / "docs" / "adr" / "0004-versions.md").read_text(encoding="utf-8")

    for spark, delta in SETS.values():
        assert spark in text
        assert delta in text


@pytest.mark.parametrize("options", [(), ("databricks",), ("../floors",)])
def test_an_unknown_set_is_told_the_usage(options: tuple[str, ...]) -> None:
    done = subprocess.run(
        [str(ROOT / "deploy" / "version-floor.sh"), *options],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "deploy/version-floor.sh emr|glue" in done.stderr
    assert done.stdout == ""
