"""The files for Docker run what our scripts run, with settings that there are, and nothing open."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from jobs.context import leaves
from jobs.everything.command import Options, parts_of
from lake.settings import SECRETS, load_settings

ROOT = Path(__file__).parents[2]
FILES = ("compose.yaml", "compose.test.yml", "deploy/cluster/compose.yaml")
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in FILES}
LOADED: dict[str, dict[str, Any]] = {name: yaml.safe_load(text) for name, text in TEXTS.items()}
COMPOSE, CLUSTER = LOADED["compose.yaml"], LOADED["deploy/cluster/compose.yaml"]
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("candle")}
SERVICES = [(file, name) for file, one in LOADED.items() for name in one["services"]]
CLUSTER_SCRIPT = (ROOT / "deploy" / "cluster.sh").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SPECIFICATION = ROOT / "deploy" / "containers" / "compose-spec"
#: What Docker runs once, and what ends by itself: nobody waits for its health.
ONE_OFF = {"bucket", "driver", "tests"}


@pytest.fixture(scope="module")
def schema() -> Draft202012Validator:
    """The Compose Specification's own schema, as its source says it is."""
    content = (SPECIFICATION / "compose-spec.json").read_bytes()
    source = (SPECIFICATION / "SOURCE.md").read_text(encoding="utf-8")
    assert f"SHA-256: {hashlib.sha256(content).hexdigest()}" in source
    return Draft202012Validator(json.loads(content))


@pytest.mark.parametrize("file", FILES)
def test_it_is_valid_by_the_specifications_schema(schema: Draft202012Validator, file: str) -> None:
    wrong = [f"{list(one.path)}: {one.message}" for one in schema.iter_errors(LOADED[file])]

    assert wrong == []


def test_the_schema_knows_a_mistyped_key(schema: Draft202012Validator) -> None:
    broken = yaml.safe_load(TEXTS["compose.yaml"].replace("retries: 20", "retrys: 20"))

    assert any("retrys" in one.message for one in schema.iter_errors(broken))


def words(service: str) -> list[str]:
    return [word.replace("${CANDLELAKE_ENV:-local}", "local") for word in OURS[service]["command"]]


def test_its_processes_are_those_of_the_crew() -> None:
    settings = load_settings("local", ["workers.home=celery"], environ={})
    settings = settings.model_copy(
        update={"serve": settings.serve.model_copy(update={"host": "0.0.0.0"})}  # noqa: S104
    )
    live = ["--exchange", "binance", "--kind", "spot", "--instruments", "BTCUSDT"]
    crew = {part.name: part for part in parts_of(Options("local", ()), live, settings, 8000)}

    assert set(OURS) == set(crew)
    for name, part in crew.items():
        line = " ".join(part.command)
        asked = " ".join(words(name))
        asked = asked.replace("python -m jobs.", f"{ROOT / 'spark-submit.sh'} ")
        assert line.endswith(re.sub(r"^(celery|candlelake) ", "", asked)), name


@pytest.mark.parametrize(
    ("service", "own"),
    [
        ("spark-master", ("--host", "--port", "--webui-port")),
        ("spark-worker", ("--host", "--webui-port", "--work-dir")),
        ("celery-worker", ("--hostname",)),
        ("s3", ("--port", "--region", "--iam-dir", "--versioning-dir")),
    ],
)
def test_the_clusters_processes_are_those_of_the_script(service: str, own: tuple[str, ...]) -> None:
    """But for the places of each: hosts, ports and folders."""
    script = CLUSTER_SCRIPT
    if service == "s3":
        script = (ROOT / "deploy/services/versitygw.sh").read_text(encoding="utf-8")
    started = " ".join(script.replace("\\\n", " ").split())
    command = iter(CLUSTER["services"][service]["command"])
    kept = [word for word in command if word not in own or not next(command)]
    flags = [word for word in kept if not word.startswith(("spark://", "/s3"))]
    assert len(flags) >= 2

    for first, second in pairwise(flags):
        if first.startswith("-") and not second.startswith("-"):
            assert f"{first} {second}" in started
        else:
            assert second in started.split()


def test_the_image_of_the_s3_server_is_built_from_the_scripts_version() -> None:
    script = (ROOT / "deploy/services/versitygw.sh").read_text(encoding="utf-8")
    built = (ROOT / "deploy/cluster/s3.Dockerfile").read_text(encoding="utf-8")
    (version,) = re.findall(r"^version=(v[0-9.]+)$", script, re.MULTILINE)
    (module,) = re.findall(r"go_install versitygw (\S+)", script)

    assert f"go install {module}@{version}" in built
    assert CLUSTER["services"]["s3"]["image"].endswith(version.removeprefix("v"))


@pytest.mark.parametrize("file", ["compose.yaml", "deploy/cluster/compose.yaml"])
def test_each_of_its_settings_is_one_and_every_secret_has_to_be_given(file: str) -> None:
    given = {
        name: re.sub(r"\$\{\w+(:-(\w+)|:\?.*)\}", r"\2", value)
        for one in LOADED[file]["services"].values()
        for name, value in one.get("environment", {}).items()
        if one["image"].startswith("candlelake:") and name.startswith("CANDLELAKE_")
    }
    env = given.pop("CANDLELAKE_ENV")

    settings = load_settings(env, environ=given)

    assert settings.serve.database_url.startswith("postgresql://")
    for name, value in re.findall(r"(\w*(?:PASSWORD|SECRET\w*)): (.*)", TEXTS[file]):
        assert re.fullmatch(r"\$\{\w+:\?.*\}", value), name
    for variable in set(re.findall(r"\$\{(\w+):", TEXTS[file])):
        assert re.search(rf"^{variable}=", EXAMPLE, re.MULTILINE), variable


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_it_is_pinned_and_open_to_this_machine_alone(file: str, service: str) -> None:
    one = LOADED[file]["services"][service]

    assert re.search(r":v?\d+\.\d+(\.\d+)?", one["image"]), one["image"]
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    assert "network_mode" not in one
    for needed in one.get("depends_on", {}):
        healthy = LOADED[file]["services"][needed].get("healthcheck", {})
        assert "test" in healthy or needed in ONE_OFF, needed


@pytest.mark.parametrize(("file", "service"), SERVICES)
def test_it_runs_as_nobody_special_and_says_how_it_fares(file: str, service: str) -> None:
    one = LOADED[file]["services"][service]

    assert one["user"] not in ("root", "0", "0:0")
    assert "no-new-privileges:true" in one["security_opt"]
    if service in ONE_OFF:
        assert one.get("restart") in (None, "no", "on-failure")
    else:
        assert one["restart"] == "unless-stopped"
        assert one["healthcheck"]["test"]
        assert {"interval", "timeout", "retries"} <= set(one["healthcheck"])


def test_the_tests_container_runs_the_tests_in_an_image_made_for_them() -> None:
    (service,) = LOADED["compose.test.yml"]["services"].values()

    assert service["entrypoint"] == ["./run-tests.sh"]
    assert service["build"]["args"] == {"REQUIREMENTS": "dev"}
    assert (ROOT / "requirements" / "dev.txt").exists()


def test_the_image_is_made_by_the_front_door_alone() -> None:
    """Whatever is installed is pinned and hashed by the same lists as without Docker."""
    installs = [
        line
        for line in DOCKERFILE.splitlines()
        if re.search(r"\b(pip|curl|wget|mvn|npm) ", line) and "apt-get install" not in line
    ]
    (made,) = re.findall(r"^RUN bash -c '(.*)'$", DOCKERFILE, re.MULTILINE)
    copied = DOCKERFILE.partition("RUN bash")[0]

    assert installs == []
    assert made.startswith("source deploy/front-door.sh; make_environment ")
    lists = re.findall(r"for jars in (.*?);", made)[0].split()
    assert all((ROOT / "conf" / f"{name}.txt").exists() for name in lists)
    assert {"jars", "jars-s3", "jars-kafka"} == set(lists)
    for needed in ("pyproject.toml", "requirements", "conf", "deploy/front-door.sh"):
        assert re.search(rf"^COPY .*\b{needed}\b", copied, re.MULTILINE), needed
    (default,) = re.findall(r"^ARG REQUIREMENTS=(\w+)$", DOCKERFILE, re.MULTILINE)
    assert (ROOT / "requirements" / f"{default}.txt").exists()


def test_no_secret_and_nothing_made_here_gets_into_the_image() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    made_here = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

    assert {".env", "deploy/prometheus/api-key", ".git"} <= ignored
    assert {one.rstrip("/") for one in made_here if one in (".venv", ".jars", ".tools", "data/")}
    assert {".venv", ".jars", ".tools", "data"} <= ignored


def test_the_example_of_an_environment_lists_every_setting() -> None:
    listed = re.findall(r"^(?:# )?(CANDLELAKE_\w+)=(.*)$", EXAMPLE, re.MULTILINE)
    base = tomllib.loads((ROOT / "conf" / "base.toml").read_text(encoding="utf-8"))
    paths = [*(path for path, _ in leaves(base)), *map(".".join, SECRETS)]
    known = {f"CANDLELAKE_{path.upper().replace('.', '__')}" for path in paths}
    keys = {name for name, _ in listed if name.endswith("__API_KEY")}

    assert {name for name, _ in listed} - keys == known | {"CANDLELAKE_ENV"}
    assert len(keys) == 3
    assert len(listed) == len(dict(listed))


def test_what_the_example_lists_can_be_set_and_is_what_is_set_already() -> None:
    listed = re.findall(r"^(?:# )?(CANDLELAKE_\w+)=(.*)$", EXAMPLE, re.MULTILINE)
    given = {name: value for name, value in listed if name != "CANDLELAKE_ENV"}
    plain = load_settings("local", environ={}).model_dump()

    told = load_settings("local", environ=given).model_dump()

    # conf/local.toml names its folder itself; a secret that is set to nothing is no secret
    told["lake"]["root"] = plain["lake"]["root"]
    kept = {path: value for path, value in leaves(plain) if value is not None}
    assert {path: value for path, value in leaves(told) if path in kept} == kept
