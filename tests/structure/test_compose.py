"""compose.yaml runs what the crew of `candlelake up` runs, with settings that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.everything.command import Options, parts_of
from lake.settings import load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("candle")}


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
        asked = asked.replace("./spark-submit.sh", str(ROOT / "spark-submit.sh"))
        assert line.endswith(re.sub(r"^(celery|candlelake) ", "", asked)), name


def test_each_of_its_settings_is_one_and_every_secret_has_to_be_given() -> None:
    given = {
        name: re.sub(r"\$\{\w+(:-(\w+)|:\?.*)\}", r"\2", value)
        for one in OURS.values()
        for name, value in one["environment"].items()
    }
    env = given.pop("CANDLELAKE_ENV")

    settings = load_settings(env, environ=given)

    assert settings.serve.database_url.startswith("postgresql://")
    for name in re.findall(r"PASSWORD: (.*)", TEXT):
        assert re.fullmatch(r"\$\{\w+:\?.*\}", name), name
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for variable in set(re.findall(r"\$\{(\w+):", TEXT)):
        assert re.search(rf"^{variable}=", example, re.MULTILINE), variable


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_it_is_pinned_and_open_to_this_machine_alone(service: str) -> None:
    one = COMPOSE["services"][service]

    assert re.search(r":v?\d+\.\d+(\.\d+)?", one["image"]), one["image"]
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    assert one["restart"] == "unless-stopped"
    for needed in one.get("depends_on", {}):
        assert "healthcheck" in COMPOSE["services"][needed], needed
