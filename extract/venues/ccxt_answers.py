"""Reads bars with CCXT out of an answer as it was received: no request, and no float."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import Any, NoReturn

import ccxt
import requests
from requests.structures import CaseInsensitiveDict

from lake.errors import BronzeError, SettingsError

#: What CCXT has to know of a market to ask for its bars and to read them.
MARKET_FIELDS = (
    *("id", "symbol", "base", "quote", "settle", "baseId", "quoteId", "settleId", "type"),
    *("spot", "margin", "swap", "future", "option", "contract", "linear", "inverse"),
    *("contractSize", "active"),
)
#: Where the request of an envelope says how CCXT was asked.
KEY = "ccxt"
_EXPONENT = re.compile(r"-?\d+(?:\.\d+)?[eE][-+]?\d{1,2}")

#: Open time (ms), open, high, low, close, volume, as text; None where the exchange sent none.
Bar = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """How CCXT was asked for bars: enough to read the answer again, ten years later.

    Attributes:
        exchange: CCXT's id.
        market: what CCXT knows of the market, `MARKET_FIELDS`.
        timeframe: CCXT's name of the interval.
        since: the first open time that is wanted, ms.
        limit: how many bars were asked for at most.
        options: of the settings.
    """

    exchange: str
    market: Mapping[str, Any]
    timeframe: str
    since: int
    limit: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def recorded(self) -> dict[str, Any]:
        """Return it as plain values, for the envelope."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of(cls, request: str) -> Question:
        """Return the question of an envelope's request.

        Raises:
            BronzeError: the request tells of none.
        """
        try:
            return cls(**json.loads(request, parse_float=str)[KEY])
        except (ValueError, TypeError, KeyError) as error:
            raise BronzeError("a request does not say how CCXT was asked") from error


def exchange_of(name: str, options: Mapping[str, Any], session: requests.Session) -> Any:
    """Return CCXT's exchange, every number of an answer left as the text that was sent.

    Raises:
        SettingsError: CCXT has no such exchange.
    """
    if name not in ccxt.exchanges:
        near = difflib.get_close_matches(name, ccxt.exchanges, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "CCXT's manual lists them."
        raise SettingsError(f"CCXT has no exchange '{name}'", hint=hint)
    settings = {"session": session, "options": dict(options), "enableRateLimit": False}
    exchange = getattr(ccxt, name)(settings)
    exchange.number = str
    exchange.parse_json = _exact
    return exchange


def read_bars(question: Question, body: str) -> list[Bar]:
    """Return the bars of an answer, by open time.

    Raises:
        BronzeError: CCXT can't read the answer, or made a float of a number.
    """
    try:
        return _reader(question.exchange, _text(question.options)).bars(question, Received(body))
    except (ccxt.BaseError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise BronzeError(f"CCXT can't read an answer of {question.exchange}: {error}") from error


@dataclass(frozen=True, slots=True)
class Received:
    """An answer as CCXT is to see it."""

    body: str
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> requests.Response:
        """Return it as the HTTP library would."""
        response = requests.Response()
        response.status_code = self.status
        response.headers = CaseInsensitiveDict(self.headers)
        response._content = self.body.encode()  # noqa: SLF001 - requests has no public way
        return response


class Reader:
    """CCXT's class of one exchange, given answers that were received before."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._session = _Played()
        self._exchange = exchange_of(name, options, self._session)

    def bars(self, question: Question, received: Received) -> list[Bar]:
        """Return the bars of an answer, by open time.

        Raises:
            ccxt.BaseError: the answer says that something was wrong.
            ValueError: it has no bars, or CCXT made a float of a number.
        """
        self._session.play(received)
        self._exchange.set_markets([question.market])
        rows = self._exchange.fetch_ohlcv(
            question.market["symbol"], question.timeframe, question.since, question.limit
        )
        return [tuple(map(_exact_text, row[:6])) for row in rows]


class _Played(requests.Session):
    """A session that gives one answer, once."""

    def __init__(self) -> None:
        super().__init__()
        self._received: Received | None = None

    def play(self, received: Received) -> None:
        """Give this answer next."""
        self._received = received

    def request(self, *_: Any, **__: Any) -> requests.Response:
        """Give the answer; whatever CCXT asks for, this is what was received."""
        if self._received is None:
            raise ValueError("CCXT wants more than one answer for a page of bars")
        received, self._received = self._received, None
        return received.response()


@lru_cache(maxsize=8)
def _reader(name: str, options: str) -> Reader:
    """Keep a reader: to make one takes longer than to read an answer. Not for threads to share."""
    return Reader(name, json.loads(options, parse_float=str))


def _text(options: Mapping[str, Any]) -> str:
    return json.dumps(dict(options), sort_keys=True)


def _exact(body: str) -> Any:
    """Parse JSON as CCXT does where it quotes numbers: every one stays text."""
    try:
        return json.loads(body, parse_float=str, parse_int=str, parse_constant=_refuse)
    except ValueError as error:
        raise ccxt.ExchangeNotAvailable(f"a body that is no JSON: {body[:120]!r}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _exact_text(value: object) -> str | None:
    """Return a number of a bar in plain digits; what is no number stays for silver to judge."""
    if value is None:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"CCXT made {type(value).__name__} of a number")  # noqa: TRY004
    text = str(value)
    return f"{Decimal(text):f}" if _EXPONENT.fullmatch(text) else text
