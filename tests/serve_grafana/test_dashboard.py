"""The dashboard is one to Grafana, and each of its panels has an answer of the real servers."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from serve.database.address import Address
from serve.database.intervals import MINUTES
from tests.serve_database.databases import connected
from tests.serve_grafana.conftest import ROOT, Watched
from tests.serve_grafana.published_rows import BEFORE, HOUR

GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "candlelake.json"
CHECK = GRAFANA / "check.sh"
POSTGRES_UID, PROMETHEUS_UID = "candlelake-postgres", "candlelake-prometheus"
BOARD: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = BOARD["panels"]
SQL = [
    pytest.param(target["rawSql"], id=panel["title"])
    for panel in PANELS
    for target in panel["targets"]
    if target["datasource"]["uid"] == POSTGRES_UID
]
PROMQL = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for panel in PANELS
    for target in panel["targets"]
    if target["datasource"]["uid"] == PROMETHEUS_UID
]
#: What a panel shows of the rows that the database of the tests holds.
SHOWN = {
    "Open holes": [{"holes": 1}],
    "Unexplained differences": [{"unexplained": 1}],
    "Expectations not met": [{"failed": 1}],
}
pytestmark = pytest.mark.slow


def expanded(query: str) -> str:
    """Return a query as Grafana sends it, of the last day."""
    now = time.time_ns() // 1_000_000
    values = {
        "$__from": str(now - 24 * HOUR),
        "$__to": str(now),
        "$__rate_interval": "10s",
        "$series": "1",
        "$minutes": "60",
    }
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def rows(database: Address, query: str) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        connection = await connected(database)
        try:
            return [dict(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture(scope="session")
def checker() -> None:
    """The checker of dashboards is built: by Go, which not every machine has."""
    done = subprocess.run([str(CHECK), "install"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no checker of dashboards: {done.stderr.splitlines()[-1]}")


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(CHECK), str(path)], capture_output=True, text=True, check=False)


def test_the_dashboard_keeps_to_grafanas_schema(checker: None) -> None:
    done = checked(DASHBOARD)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schemaVersion"', '"schemeVersion"'),
        ('"candleStyle": "candles"', '"candleShape": "candles"'),
        ('"frameIndex": 0', '"frameIndex": "first"'),
        ('"gridPos"', '"gridPlace"'),
        ('"legendFormat"', '"legendForm"'),
    ],
)
def test_what_grafana_does_not_know_is_found(
    checker: None, tmp_path: Path, old: str, new: str
) -> None:
    broken = tmp_path / "broken.json"
    text = DASHBOARD.read_text(encoding="utf-8")
    assert old in text
    broken.write_text(text.replace(old, new), encoding="utf-8")

    assert checked(broken).returncode == 1


def test_panels_do_not_overlap_and_have_numbers_of_their_own() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("query", SQL)
def test_a_panels_sql_has_rows_of_a_real_postgresql(
    database: Address, query: str, request: pytest.FixtureRequest
) -> None:
    found = rows(database, expanded(query))

    assert found
    assert found == SHOWN.get(request.node.callspec.id, found)


def test_the_candles_are_those_of_the_series_and_interval(database: Address) -> None:
    (query,) = [panel["targets"][0]["rawSql"] for panel in PANELS if panel["title"] == "Candles"]
    (candle,) = rows(database, expanded(query))

    assert candle["time"].timestamp() * 1000 == BEFORE
    assert [str(candle[name]) for name in ("open", "high", "low", "close", "volume")] == [
        *("42283.58", "42300", "42280", "42299.99", "1.5"),
    ]
    assert rows(database, expanded(query.replace("$minutes", "1"))) == []
    assert rows(database, expanded(query.replace("$series", "2"))) == []


def test_the_variables_are_the_series_and_the_intervals_of_the_database(database: Address) -> None:
    instruments, minutes = BOARD["templating"]["list"]

    assert rows(database, instruments["query"]) == [
        {"__text": "binance spot BTCUSDT", "__value": 1}
    ]
    assert {one["text"]: int(one["value"]) for one in minutes["options"]} == dict(MINUTES)


def test_the_annotations_are_the_publications(database: Address) -> None:
    (annotation,) = BOARD["annotations"]["list"]
    found = rows(database, expanded(annotation["target"]["rawSql"]))

    assert found == [{"time": BEFORE, "text": "publication 1"}]


@pytest.mark.parametrize("query", PROMQL)
def test_a_panels_promql_has_samples_of_a_real_prometheus(watched: Watched, query: str) -> None:
    asked = {"query": expanded(query)}
    answer = httpx.get(f"{watched.url}/api/v1/query", params=asked).json()

    assert answer["status"] == "success", answer
    # a route that nobody asked meanwhile has no latency
    assert [one for one in answer["data"]["result"] if one["value"][1] != "NaN"], query


def test_prometheus_holds_both_jobs_against_all_rules(watched: Watched) -> None:
    up = httpx.get(f"{watched.url}/api/v1/query", params={"query": "up"}).json()["data"]["result"]
    groups = httpx.get(f"{watched.url}/api/v1/rules").json()["data"]["groups"]

    assert {one["metric"]["job"]: one["value"][1] for one in up} == {
        "candlelake-api": "1",
        "candlelake-live": "1",
    }
    rules = [rule for group in groups for rule in group["rules"]]
    assert {group["name"] for group in groups} == {"candlelake-live", "candlelake-serving"}
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []


def test_the_datasources_are_provisioned_under_the_names_of_the_dashboard() -> None:
    path = GRAFANA / "provisioning" / "datasources" / "candlelake.yml"
    sources = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    used = set(re.findall(r'"uid": "(candlelake-[a-z]+)"', DASHBOARD.read_text(encoding="utf-8")))

    assert {one["uid"] for one in sources} == used == {POSTGRES_UID, PROMETHEUS_UID}
    assert all("password" not in one for one in sources)
