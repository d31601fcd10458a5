"""A replay exchange for reading, and one of its own for a test that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import COINM, SPOT, USDM
from extract.replay.limits import CreditRules, WeightRules
from tests.replay.asking import Asking
from tests.replay.listening import Watch

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "reference"

PLENTY = 10**9
UNLIMITED = Rules(
    weight={segment: WeightRules(PLENTY) for segment in (SPOT, USDM, COINM)},
    instruments_credits=CreditRules(cost=1, pool=PLENTY),
    other_credits=CreditRules(cost=1, pool=PLENTY),
)


@pytest.fixture(scope="session")
def exchange() -> Iterator[ReplayExchange]:
    """One exchange for all tests that only read."""
    with ReplayExchange(UNLIMITED) as running:
        yield running


@pytest.fixture(scope="session")
def ask(exchange: ReplayExchange) -> Asking:
    """Requests to the shared exchange."""
    return Asking(exchange.urls)


@pytest.fixture
def own_exchange() -> Iterator[ReplayExchange]:
    """A fresh exchange, for faults, limits and counts."""
    with ReplayExchange() as running:
        yield running


@pytest.fixture
def own_ask(own_exchange: ReplayExchange) -> Asking:
    """Requests to the test's own exchange."""
    return Asking(own_exchange.urls)


@pytest.fixture
def watch() -> Watch:
    """Seconds that pass when the test says so."""
    return Watch()


@pytest.fixture(scope="session")
def reference() -> Path:
    """The recorded real answers, which are not part of the project."""
    if not REFERENCE.is_dir():
        pytest.skip(f"the recorded reference answers are not at {REFERENCE}")
    return REFERENCE
