"""What an exchange is asked and what it answered, byte for byte: the pages that bronze keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, Protocol

from lake.clock import to_millis


@dataclass(frozen=True, slots=True)
class Request:
    """One GET request.

    Attributes:
        base: the host's address as set (a budget and a ban belong to it).
        path: what follows the base.
        params: the query string, in order.
        weight: what the request costs of the host's budget.
        headers: what must not be recorded, such as an API key.
        beside: what else has to be known to read the answer, kept with how it was asked for.
    """

    base: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    weight: int = 1
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    beside: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The address without the query string."""
        return self.base.rstrip("/") + self.path

    def recorded(self) -> dict[str, Any]:
        """Return how the exchange was asked, without any secret, for the envelope."""
        return {"method": "GET", "url": self.url, "params": dict(self.params), **self.beside}


class Received(NamedTuple):
    """What came back over the wire: status, headers (lower-case names), the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Driver(Protocol):
    """What sends a request, where it is not the host's own session."""

    def get(self, request: Request, *, connect_seconds: float, read_seconds: float) -> Received:
        """Send a request once and return what came back.

        Raises:
            TransientExtractError: the connection failed.
            PermanentExtractError: the request can't be sent.
        """


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: status, headers (lower-case names), the body as received, and when.

    `sent` is when its request went out, None where that is not known; by our own clock, as
    `received` is.
    """

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes
    received: datetime
    sent: datetime | None = None

    @property
    def date_ms(self) -> int | None:
        """The exchange's own clock by its `Date` header, in ms cut to the second."""
        try:
            return to_millis(parsedate_to_datetime(self.headers["date"]))
        except (KeyError, ValueError, TypeError):
            return None
