from __future__ import annotations

from extract.replay.engine import Rules
from extract.replay.exchange import ReplayExchange
from extract.replay.exchange_clock import SPOT
from extract.replay.limits import CreditBucket, CreditRules, WeightMeter, WeightRules
from tests.replay.asking import Asking


class HandClock:
    """Seconds that pass only when told to."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def test_weight_adds_up_and_a_new_minute_starts_anew() -> None:
    clock = HandClock(600)
    meter = WeightMeter(WeightRules(weight_per_minute=50), clock)

    assert [meter.charge(20).used, meter.charge(20).used] == [20, 40]
    clock.seconds = 660
    assert meter.charge(4).used == 4


def test_request_over_the_limit_is_refused_until_the_minute_ends() -> None:
    clock = HandClock(615)
    meter = WeightMeter(WeightRules(weight_per_minute=50), clock)
    meter.charge(50)

    refused = meter.charge(1)

    assert (refused.status, refused.retry_after_seconds) == (429, 45)
    clock.seconds = 660
    assert meter.charge(1).status == 200


def test_who_goes_on_is_banned_and_the_ban_outlasts_the_minute() -> None:
    clock = HandClock(600)
    meter = WeightMeter(
        WeightRules(weight_per_minute=1, ignored_before_ban=2, ban_seconds=120), clock
    )

    statuses = [meter.charge(1).status for _ in range(5)]

    assert statuses == [200, 429, 429, 418, 418]
    clock.seconds = 700
    assert (meter.charge(1).status, meter.charge(1).retry_after_seconds) == (418, 20)
    clock.seconds = 721
    assert meter.charge(1).status == 200


def test_credits_come_back_with_time() -> None:
    clock = HandClock(0)
    bucket = CreditBucket(CreditRules(cost=500, pool=1_000, refill_per_second=250), clock)

    assert [bucket.take(), bucket.take(), bucket.take()] == [True, True, False]
    clock.seconds = 2
    assert [bucket.take(), bucket.take()] == [True, False]


def test_every_binance_answer_tells_the_weight_used(own_ask: Asking) -> None:
    url = f"{own_ask.urls.spot}/api/v3"

    used = [
        own_ask.get(f"{url}/{path}").headers["X-MBX-USED-WEIGHT-1M"]
        for path in ("exchangeInfo", "aggTrades?symbol=ETHUSDT", "klines?symbol=ETHUSDT")
    ]

    assert used == ["20", "24", "26"]


def test_futures_klines_weigh_by_their_limit(own_ask: Asking) -> None:
    used = [
        own_ask.get(
            f"{own_ask.urls.usdm}/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=limit
        ).headers["X-MBX-USED-WEIGHT-1M"]
        for limit in (99, 100, 1000, 1500)
    ]

    assert used == ["1", "3", "8", "18"]


def test_limit_of_the_exchange_is_real_over_http() -> None:
    rules = WeightRules(weight_per_minute=8, window_seconds=3600, ignored_before_ban=1)
    with ReplayExchange(Rules(weight={SPOT: rules})) as exchange:
        ask = Asking(exchange.urls)
        url = f"{exchange.urls.spot}/api/v3/aggTrades"
        answers = [ask.get(url, symbol="ETHUSDT", limit=1) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 418, 418]
    assert answers[2].json()["code"] == -1003
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 3600
    assert answers[3].headers["Retry-After"] == "120"


def test_deribit_without_credits_answers_10028() -> None:
    pool = CreditRules(cost=500, pool=500, refill_per_second=0)
    with ReplayExchange(Rules(other_credits=pool)) as exchange:
        ask = Asking(exchange.urls)
        ask.deribit("get_time")
        refused = ask.get(f"{exchange.urls.deribit}/api/v2/public/get_time")

    assert refused.status_code == 429
    assert refused.json()["error"] == {"code": 10028, "message": "too_many_requests"}
