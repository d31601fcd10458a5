"""What a function and the poller do with a batch of records, and what the scheduler sends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.aws_lambda import handlers
from extract.history.message import Message
from extract.history.universe import Window
from extract.queues.batch import work_off
from extract.queues.scheduling import send_universe, window_of
from extract.queues.sqs import Queue
from extract.replay.exchange import ReplayExchange
from lake.clock import to_millis
from lake.errors import QueueError, UsageError
from lake.run import claim
from lake.settings import load_settings
from tests.front_door.commands import landed
from tests.queues.on_queue import ETHUSDT_IDS, held
from tests.queues.sqs_side import GOOD, FakeSqs, equipment, record

NOBODY = "http://127.0.0.1:1"
ALL_DONE: dict[str, list[dict[str, str]]] = {"batchItemFailures": []}
ONLY_ETHUSDT = "universe.binance.spot=ETHUSDT"


@pytest.fixture(scope="module")
def exchange() -> Iterator[ReplayExchange]:
    with ReplayExchange() as running:
        yield running


def test_only_the_record_that_failed_is_delivered_again(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    with_fault = equipment(exchange, tmp_path / "lake", f"exchanges.binance.usdm.rest_url={NOBODY}")
    sqs = FakeSqs()
    records = [
        record("poison", '{"version":1}'),
        record("unreachable", replace(GOOD, kind="usdm")),
        record("good", GOOD),
    ]

    answer = work_off({"Records": records}, with_fault, sqs.queue())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "unreachable"}]}
    assert sqs.postponed == [("handle of unreachable", 60)]
    assert sqs.dead == ['{"version":1}']
    assert "no message of a chunk" in sqs.reasons[0]
    assert sqs.bodies == [replace(GOOD, chunk=GOOD.chunk + 1).to_json()]
    assert held(tmp_path) == ETHUSDT_IDS[:675]


def test_the_same_event_twice_lands_one_object_and_sends_one_follower(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine, sqs = equipment(exchange, tmp_path / "lake"), FakeSqs()
    event = {"Records": [record("once", GOOD)]}

    answers = [work_off(event, mine, sqs.queue()) for _ in range(2)]

    assert answers == [ALL_DONE, ALL_DONE]
    assert len(landed(tmp_path / "lake")) == 1
    assert len(sqs.bodies) == 1


def test_an_unknown_symbol_is_a_dead_letter_at_once(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine, sqs = equipment(exchange, tmp_path / "lake"), FakeSqs()
    unknown = replace(GOOD, instrument="NOSUCH")

    answer = work_off({"Records": [record("unknown", unknown)]}, mine, sqs.queue())

    assert answer == ALL_DONE
    assert sqs.dead == [unknown.to_json()]
    assert "Invalid symbol" in sqs.reasons[0]


def test_what_may_pass_is_a_dead_letter_with_its_reason_after_its_last_delivery(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine = equipment(exchange, tmp_path / "lake", f"exchanges.binance.spot.rest_url={NOBODY}")
    sqs = FakeSqs()

    second = work_off({"Records": [record("one", GOOD, 2)]}, mine, sqs.queue())
    third = work_off({"Records": [record("one", GOOD, 3)]}, mine, sqs.queue())

    assert second == {"batchItemFailures": [{"itemIdentifier": "one"}]}
    assert (third, sqs.dead) == (ALL_DONE, [GOOD.to_json()])
    assert NOBODY in sqs.reasons[0]


def test_a_record_whose_follower_can_not_be_sent_is_delivered_again(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine, sqs = equipment(exchange, tmp_path / "lake"), FakeSqs(is_lost=True)
    event = {"Records": [record("one", GOOD), record("poison", "x")]}

    lost = work_off(event, mine, sqs.queue())
    sqs.is_lost = False
    found = work_off(event, mine, sqs.queue())

    failed = [one["itemIdentifier"] for one in lost["batchItemFailures"]]
    assert failed == ["one", "poison"]
    assert found == ALL_DONE
    assert (len(sqs.bodies), sqs.dead) == (1, ["x"])


def test_messages_go_out_by_tens_and_a_refused_one_is_an_error() -> None:
    sqs = FakeSqs()
    sqs.queue().send([replace(GOOD, chunk=GOOD.chunk + place) for place in range(23)])

    assert len(set(sqs.bodies)) == 23
    with pytest.raises(QueueError, match="OverLimit"):
        FakeSqs(is_full=True).queue().send([GOOD])


def test_the_scheduler_sends_what_the_universe_lacks_and_then_nothing(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine, sqs = equipment(exchange, tmp_path / "lake", ONLY_ETHUSDT), FakeSqs()
    window = Window("date", to_millis(datetime(2020, 1, 1, tzinfo=UTC)))

    sent = send_universe(window, mine, sqs.queue())

    waiting = list(sqs.bodies)
    assert sent == len(waiting) > 1
    while waiting:
        sqs.bodies.clear()
        assert work_off({"Records": [record("x", waiting.pop())]}, mine, sqs.queue()) == ALL_DONE
        waiting += sqs.bodies
    assert held(tmp_path) == ETHUSDT_IDS
    assert any("instruments" in name for name in landed(tmp_path / "lake"))
    assert send_universe(window, mine, sqs.queue()) == 0


def test_the_scheduler_takes_patterns_and_refuses_a_lake_of_another_environment(
    exchange: ReplayExchange, tmp_path: Path
) -> None:
    mine, sqs = equipment(exchange, tmp_path / "lake", "universe.binance.spot=ETHUSD*"), FakeSqs()
    claim(mine.store, "aws")

    with pytest.raises(UsageError, match="environment 'aws'"):
        send_universe(Window("reverse"), mine, sqs.queue())

    mine = equipment(exchange, tmp_path / "other", "universe.binance.spot=ETHUSD*")
    send_universe(Window("reverse"), mine, sqs.queue())
    assert {Message.from_json(body).mode for body in sqs.bodies} == {"reverse"}


def test_an_event_says_mode_and_window() -> None:
    day = to_millis(datetime(2024, 1, 1, tzinfo=UTC))

    assert window_of({}) == Window("start")
    assert window_of({"mode": "reverse", "start": "2024-01-01T05:00"}) == Window("reverse", day)
    assert window_of({"mode": "date", "start": str(day), "end": None}) == Window("date", day)


@pytest.mark.parametrize(
    "event", [{"detail": {}}, {"mode": "sideways"}, {"mode": []}, {"start": "soon"}]
)
def test_another_event_is_refused(event: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="can't be"):
        window_of(event)


def test_a_queue_wants_both_addresses() -> None:
    settings = load_settings("replay", ["workers.queue_url=http://127.0.0.1/q"], environ={})

    with pytest.raises(UsageError, match=r"workers\.dead_letter_url"):
        Queue.of(settings)


def test_the_handler_takes_its_settings_from_the_environment(
    exchange: ReplayExchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        **exchange.urls.settings(),
        "lake.root": str(tmp_path / "lake"),
        "workers.queue_url": f"{NOBODY}/queue",
        "workers.dead_letter_url": f"{NOBODY}/dead",
    }
    for path, value in values.items():
        monkeypatch.setenv(f"CANDLELAKE_{path.upper().replace('.', '__')}", value)
    monkeypatch.setenv("CANDLELAKE_ENV", "replay")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    last = replace(GOOD, chunk=GOOD.chunk + 2)

    answer = handlers.worker({"Records": [record("last", last)]}, None)

    assert answer == ALL_DONE
    assert held(tmp_path) == ETHUSDT_IDS[1675:2000]
