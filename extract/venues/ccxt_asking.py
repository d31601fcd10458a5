"""Asks any exchange that CCXT knows for its markets and bars, over our own patient client."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ccxt
import requests

from extract.answer import Answer, Request
from extract.bars import BarPage
from extract.client import Client
from extract.listing import Listing
from extract.plan import Pages
from extract.venues.ccxt_answers import (
    KEY,
    MARKET_FIELDS,
    Bar,
    Question,
    Reader,
    Received,
    exchange_of,
)
from extract.verdict import require_reachable
from lake.clock import to_millis
from lake.errors import PermanentExtractError, TransientExtractError, UsageError
from lake.setting_sections import OtherExchange
from lake.settings import Settings

log = logging.getLogger(__name__)

#: What an exchange gives in one answer where CCXT does not say.
FEWEST_BARS = 100
#: Body bytes of a bar: six numbers, their names where an exchange sends them, and more fields.
BAR_BYTES = 160
#: CCXT counts what a request costs in fractions, our budgets in whole numbers.
PARTS = 10
#: How far our own clock may be ahead, where the exchange does not tell its time.
CLOCK_SKEW_MS = 60_000
_OWN_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError)

Markets = Mapping[str, Mapping[str, Any]]
_markets: dict[tuple[str, str], Markets] = {}
_lock = Lock()


def settings_of(settings: Settings, exchange: str) -> OtherExchange:
    """Return the settings of an exchange of CCXT's.

    Raises:
        UsageError: the settings have no such exchange.
    """
    found = settings.exchanges.others.get(exchange)
    if found is None:
        raise UsageError(
            f"unknown exchange '{exchange}'",
            hint=f'One of CCXT\'s needs a table in conf/: [exchanges.{exchange}] with ccxt = "…".',
        )
    return found


def listings(client: Client, settings: Settings, exchange: str, kind: str) -> list[Listing]:
    """Return the markets of a kind as the exchange has them now, by name.

    Raises:
        UsageError, SettingsError: the exchange is unknown, to us or to CCXT.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    asking = Asking(client, settings, exchange)
    markets = asking.load_markets()
    found = (one for one in markets.values() if one["type"] == kind)
    return sorted(
        (Listing(str(one["id"]), str(one["symbol"])) for one in found),
        key=lambda one: one.instrument,
    )


def clock_ms(client: Client, settings: Settings, exchange: str) -> int:
    """Return the exchange's own clock; ours, a minute back, where it does not tell."""
    return Asking(client, settings, exchange).clock_ms()


def bar_pages(settings: Settings, exchange: str, kind: str) -> Pages:
    """Return what pages of bars hold and cost, for the plan of a run."""
    named = settings_of(settings, exchange)
    of_ccxt = exchange_of(named.ccxt, named.options, requests.Session())
    return Pages(exchange, _limit(of_ccxt, kind), weight=1, row_bytes=BAR_BYTES, aside=2)


def requests_per_minute(settings: Settings, exchange: str) -> int:
    """Return how many requests a minute we send at most."""
    named = settings_of(settings, exchange)
    rate = _per_second(named, exchange_of(named.ccxt, named.options, requests.Session()))
    return int(rate * 60 * settings.extract.limit_share)


class Asking:
    """One exchange of CCXT's, asked through our client."""

    def __init__(self, client: Client, settings: Settings, exchange: str) -> None:
        self._named = settings_of(settings, exchange)
        self._client = client
        self.transport = Transport(client, self._named.rest_url)
        self.of_ccxt = exchange_of(self._named.ccxt, self._named.options, self.transport)
        self.transport.attach(self.of_ccxt, _per_second(self._named, self.of_ccxt))

    @property
    def name(self) -> str:
        """CCXT's id."""
        return self._named.ccxt

    @property
    def options(self) -> Mapping[str, Any]:
        """What the settings hand to CCXT."""
        return self._named.options

    def load_markets(self) -> Markets:
        """Ask for the markets and keep them for the tasks that follow."""
        # without currencies: few exchanges show them without a key, and no bar needs them
        markets = _understood(lambda: self.of_ccxt.set_markets(self.of_ccxt.fetch_markets()))
        with _lock:
            _markets[self._place] = markets
        return dict(markets)

    def market(self, kind: str, instrument: str) -> Mapping[str, Any]:
        """Return a market by the exchange's name of it.

        Raises:
            UsageError: the exchange has no such market of this kind.
        """
        with _lock:
            known = _markets.get(self._place)
        for one in (known or self.load_markets()).values():
            if one["type"] == kind and one["id"] == instrument:
                return {name: one.get(name) for name in MARKET_FIELDS}
        raise UsageError(f"{self.name} has no {kind} market '{instrument}'")

    def clock_ms(self) -> int:
        """Return the exchange's own clock; ours, a minute back, where it does not tell."""
        if self.of_ccxt.has.get("fetchTime") is not True:
            return to_millis(self._client.clock.now()) - CLOCK_SKEW_MS
        return int(_understood(self.of_ccxt.fetch_time))

    @property
    def _place(self) -> tuple[str, str]:
        return self._named.ccxt, self._named.rest_url


class OtherBars:
    """One instrument's bars at an exchange of CCXT's, a `BarSource`."""

    may_end_early = True

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        exchange: str,
        kind: str,
        instrument: str,
        interval: str,
    ) -> None:
        self._asking = Asking(client, settings, exchange)
        of_ccxt = self._asking.of_ccxt
        if interval not in (of_ccxt.timeframes or {}):
            known = ", ".join(of_ccxt.timeframes or {}) or "none"
            raise UsageError(f"{exchange} has no bars of {interval}", hint=f"It has {known}.")
        self._market = self._asking.market(kind, instrument)
        of_ccxt.set_markets([dict(self._market)])
        self._interval = interval
        self._reader = Reader(self._asking.name, self._asking.options)
        self.bars_per_page = _limit(of_ccxt, kind)

    def clock_ms(self) -> int:
        """Return the exchange's own clock."""
        return self._asking.clock_ms()

    def page(self, from_ms: int, until_ms: int, read: Callable[[list[int]], None]) -> BarPage:
        """Return the bars that open in [`from_ms`, `until_ms`); an answer may hold later ones."""
        question = Question(
            self._asking.name,
            self._market,
            self._interval,
            from_ms,
            self.bars_per_page,
            self._asking.options,
        )
        times: list[int] = []

        def judge(answer: Answer) -> None:
            bars = self._reader.bars(question, _received(answer))
            times[:] = [time for time in _open_times(bars) if from_ms <= time < until_ms]
            read(times)

        answer = self._asking.transport.one(
            lambda: self._asking.of_ccxt.fetch_ohlcv(
                self._market["symbol"], self._interval, from_ms, self.bars_per_page
            ),
            judge,
            {KEY: question.recorded()},
        )
        return BarPage(answer, list(times))


Judge = Callable[[Answer], None]


@dataclass(slots=True)
class _Round:
    """What one call of CCXT's asks: how its answers are judged, and what is kept beside them."""

    judge: Judge
    beside: Mapping[str, Any]
    answers: list[Answer]


class Transport(requests.Session):
    """The session that CCXT sends through: each request by our client, judged before it is seen."""

    def __init__(self, client: Client, rest_url: str) -> None:
        super().__init__()
        self._client = client
        self._rest_url = rest_url.rstrip("/")
        self._of_ccxt: Any = None
        self._per_second: float = 1
        self._weight = PARTS
        self._round = _Round(self._sound, {}, [])

    def attach(self, of_ccxt: Any, per_second: float) -> None:
        """Serve this exchange, and take its own cost of a request as the weight of ours."""
        self._of_ccxt, self._per_second = of_ccxt, per_second
        of_ccxt.enableRateLimit = True
        of_ccxt.throttle = self._charge

    def one(self, ask: Callable[[], Any], judge: Judge, beside: Mapping[str, Any]) -> Answer:
        """Return the only answer that a call of CCXT's asks for.

        Raises:
            PermanentExtractError: it asks for several, of which none could be read alone.
        """
        self._round = _Round(judge, beside, [])
        try:
            _understood(ask)
            answers = self._round.answers
        finally:
            self._round = _Round(self._sound, {}, [])
        if len(answers) != 1:
            raise PermanentExtractError(
                f"CCXT asks {len(answers)} times for a page of bars of {self._of_ccxt.id}",
                hint="Only exchanges that give bars in one answer can be landed.",
            )
        return answers[0]

    def request(self, method: Any, url: Any, *_: Any, **sent: Any) -> requests.Response:
        """Answer CCXT's request; faults are judged and retried before CCXT sees them."""
        parts = urlsplit(url)
        if method != "GET" or sent.get("data"):
            raise PermanentExtractError(
                f"CCXT asks by {method}, and only what is asked by GET can be landed", where=url
            )
        base = self._rest_url or f"{parts.scheme}://{parts.netloc}"
        self._client.keep_pace(base, self._per_second * PARTS)
        request = Request(
            base,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            self._weight,
            sent.get("headers") or {},
            self._round.beside,
        )
        answer = self._client.examine(request, self._judged)[0]
        self._round.answers.append(answer)
        return _received(answer).response()

    def _charge(self, cost: Any = None) -> None:
        self._weight = max(1, math.ceil((cost or 1) * PARTS))

    def _judged(self, answer: Answer) -> None:
        require_reachable(answer)
        try:
            self._round.judge(answer)
        except ccxt.BaseError as error:
            raise _of_ccxt(error, answer) from error
        except _OWN_ERRORS as error:
            raise PermanentExtractError(
                f"CCXT can't read the answer: {error}", where=answer.request.url
            ) from error

    def _sound(self, answer: Answer) -> None:
        """Let CCXT say whether an answer is an error, as it would itself."""
        received = _received(answer)
        parsed = self._of_ccxt.parse_json(received.body)
        url = answer.request.url
        arguments = (answer.status, "", url, "GET", dict(answer.headers), received.body, parsed)
        self._of_ccxt.handle_errors(*arguments, {}, None)
        if answer.status >= 300:
            raise ccxt.ExchangeError(f"HTTP {answer.status}: {received.body[:120]!r}")


def _received(answer: Answer) -> Received:
    return Received(answer.body.decode("utf-8", "replace"), answer.status, answer.headers)


def _open_times(bars: list[Bar]) -> list[int]:
    return [int(bar[0]) for bar in bars if bar and bar[0] is not None]


def _of_ccxt(error: ccxt.BaseError, answer: Answer) -> Exception:
    """Return CCXT's error as ours: what it calls an operation that failed may be tried again."""
    what, where = f"{type(error).__name__}: {error}", answer.request.url
    passing = isinstance(error, ccxt.OperationFailed) and answer.status < 300
    kind = TransientExtractError if passing else PermanentExtractError
    return kind(what, where=where)


def _understood(ask: Callable[[], Any]) -> Any:
    """Call CCXT; what it refuses after our own judgement, no further request would change."""
    try:
        return ask()
    except (ccxt.BaseError, *_OWN_ERRORS) as error:
        raise PermanentExtractError(f"CCXT: {type(error).__name__}: {error}") from error


def _per_second(named: OtherExchange, of_ccxt: Any) -> float:
    return named.requests_per_second or 1000 / of_ccxt.rateLimit


def _limit(of_ccxt: Any, kind: str) -> int:
    """Return how many bars the exchange gives at once, by CCXT's table of features."""
    sub = None if kind == "spot" else "linear"
    found = of_ccxt.feature_value_by_type(kind, sub, "fetchOHLCV", "limit")
    return int(found) if found else FEWEST_BARS
