"""Every example of docs/api.md is asked of the bundled day, and answered as the page shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from serve.database.address import Address
from serve.database.repository import repository_at
from tests.docs.documents import ROOT, shows
from tests.serve_api.conftest import running

PAGE = ROOT / "docs" / "api.md"
_EXAMPLE = re.compile(r"^```http\nGET (\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


class Example(NamedTuple):
    """A question of the page, and what the page shows of its answer."""

    path: str
    shown: str


EXAMPLES = [Example(*found) for found in _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def client(bundled_lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """An API on the bundled day, published as a user does it."""
    lake = tmp_path_factory.mktemp("published") / "lake"
    shutil.copytree(bundled_lake, lake)
    subprocess.run(
        [str(ROOT / "spark-submit.sh"), "publish", "--set", f"lake.root={lake}"],
        env={**os.environ, "CANDLELAKE_REQUIREMENTS": "dev"},
        check=True,
    )
    with running(repository_at(Address(str(lake / "serve.sqlite"), 10))) as api:
        yield api.client


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) >= 10


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.path)
def test_an_example_is_answered_as_shown(client: httpx.Client, example: Example) -> None:
    answer = client.get(example.path)

    assert shows_all(example.shown, answer.text), answer.text[:2000]


def shows_all(shown: str, answered: str) -> bool:
    """Tell whether what is shown is what was answered; what ends in `…` goes on there."""
    lines = "\n".join(answered.splitlines())
    if shown.endswith("…\n"):
        pattern = "[^\n]*".join(map(re.escape, shown.removesuffix("…\n").split("…")))
        return re.match(pattern, lines) is not None
    return shows(shown, lines)
