"""Incidents are told, mended, closed and withdrawn by command, and every revision stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import catalog
from jobs.context import Context
from jobs.incidents import command, memory
from lake.errors import UsageError
from tests.jobs.conftest import context_of

pytestmark = pytest.mark.spark

NOON = datetime(2023, 3, 24, 12, tzinfo=UTC)
TOLD: dict[str, Any] = {
    "exchange": "binance",
    "kind": "spot",
    "instrument": None,
    "cause": "exchange_down",
    "started_at": NOON,
    "ended_at": None,
    "title": "Spot trading halted",
    "description": None,
    "link": None,
    "reported_by": "ada",
}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A lake in which nobody has told of anything: the table is not there yet."""
    return context_of(spark, tmp_path_factory.mktemp("incidents") / "lake")


def tell(context: Context, **given: Any) -> str:
    return memory.tell(context, memory.begun(context, {**TOLD, **given}))


def revisions(context: Context, incident_id: str) -> list[tuple[int, str, datetime | None]]:
    told = memory.told(context, f"incident_id = '{incident_id}'", revisions=True)
    return [(one.revision, one.state, one.ended_at) for one in told]


@pytest.mark.slow
def test_an_incident_lives_from_its_telling_to_its_withdrawal(lake: Context) -> None:
    assert memory.told(lake, "true") == []
    assert memory.current(lake).count() == 0

    first, second = tell(lake), tell(lake, kind=None, title="Once more")
    ended = NOON.replace(hour=14)
    memory.revise(lake, first, {"title": "Spot trading halted: matching engine"})
    memory.close(lake, first, ended)
    memory.close(lake, second, None)
    memory.revise(lake, first, {"title": "Spot trading halted: matching engine"})
    memory.revise(lake, second, {"state": "withdrawn"})

    assert (first, second) == ("2023-03-24-binance", "2023-03-24-binance-2")
    # what changes nothing writes nothing
    assert revisions(lake, first) == [
        (1, "open", None),
        (2, "open", None),
        (3, "closed", ended),
    ]
    assert [state for _, state, _ in revisions(lake, second)] == ["open", "closed", "withdrawn"]
    (one,) = memory.told(lake, "true")
    assert (one.title, one.reported_by) == ("Spot trading halted: matching engine", "ada")
    assert one.created_at < one.updated_at
    assert command.written(one) == (
        "2023-03-24-binance\t3\tclosed\texchange_down\tbinance/spot/*\t"
        "2023-03-24T12:00:00.000000Z\t2023-03-24T14:00:00.000000Z\t"
        "Spot trading halted: matching engine"
    )
    catalog.register(lake)
    statement = "select incident_id, state from ops.incidents_current order by incident_id"
    rows = lake.spark.sql(catalog.with_views(lake, statement)).collect()
    assert [tuple(row) for row in rows] == [(first, "closed"), (second, "withdrawn")]

    with pytest.raises(UsageError, match=r"over since 2023-03-24T14:00:00.*--end mends when"):
        memory.close(lake, first, None)
    with pytest.raises(UsageError, match=r"was withdrawn.*incidents add"):
        memory.revise(lake, second, {"title": "No"})
    with pytest.raises(UsageError, match=r"no incident '2023-03-24-binanc'. Did you mean '2023"):
        memory.revise(lake, "2023-03-24-binanc", {"title": "No"})
    with pytest.raises(UsageError, match="nothing is given"):
        memory.revise(lake, first, {})
    with pytest.raises(UsageError, match=r"--end .* is not after --start"):
        memory.revise(lake, first, {"started_at": ended})

    memory.revise(lake, first, {"ended_at": None})
    assert revisions(lake, first)[-1] == (4, "open", None)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"exchange": "binanse"}, "--exchange is one of binance.*Did you mean 'binance'"),
        ({"kind": "spots"}, "--kind is one of spot, usdm, coinm.*Did you mean 'spot'"),
        ({"kind": "option"}, "--kind is one of spot, usdm, coinm"),
        ({"cause": "maintainance"}, "--cause is one of .*Did you mean 'maintenance'"),
        ({"instrument": "BTCUSDT"}, "--instrument needs --kind"),
        ({"end": "2023-03-24T12:00:00Z"}, "--end .* is not after --start"),
        ({"end": "noon"}, "--end can't be read"),
        ({"start": ""}, "--start is empty"),
        ({"title": " "}, "--title is one line"),
        ({"title": "one\ntwo"}, "--title is one line"),
    ],
)
def test_what_makes_no_sense_is_refused_before_spark_starts(
    odd: dict[str, str], said: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "exchange": "binance",
        "cause": "exchange_down",
        "start": "2023-03-24T12:00:00Z",
        "title": "Halted",
        **odd,
    }

    with pytest.raises(UsageError, match=said) as refused:
        command.add(**given, sets=[f"lake.root={tmp_path / 'lake'}"])

    assert refused.value.exit_code == 2
