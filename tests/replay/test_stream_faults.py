from __future__ import annotations

from extract.replay.exchange import ReplayExchange
from extract.replay.faults import Fault
from tests.replay.listening import GENERATED, RECORDED, Heard, hear_out, listen, live, talk

TRADES = "/ws/btcusdt@trade"


def heard_until_the_end(exchange: ReplayExchange) -> Heard:
    return talk(f"{exchange.urls.spot}{TRADES}", hear_out)


def test_disconnect_comes_after_the_messages_asked_for() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("disconnect", path="btcusdt@trade", after=5))
        heard = heard_until_the_end(exchange)

        assert len(heard.messages) == 5
        assert heard.close_code == 1006
        assert exchange.faults_left() == []


def test_dropped_messages_are_a_gap_on_a_connection_that_stays() -> None:
    with live(RECORDED) as exchange:
        exchange.order(Fault("dropped_message", path="btcusdt@trade", after=4, times=3))
        ids = [one["t"] for one in listen(f"{exchange.urls.spot}{TRADES}", 10)]

    first = ids[0]
    assert [one - first for one in ids] == [0, 1, 2, 3, 7, 8, 9, 10, 11, 12]


def test_stream_faults_leave_answers_and_other_streams_alone() -> None:
    with live(GENERATED) as exchange:
        exchange.order(Fault("disconnect", segment="binance/usdm", path="ethusdt@*"))
        listen(f"{exchange.urls.usdm}/ws/btcusdt@trade", 5)

        assert len(exchange.faults_left()) == 1
