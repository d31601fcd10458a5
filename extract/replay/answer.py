"""What a venue of the replay exchange is asked and what it answers, free of any HTTP library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from extract.replay.exact_json import write_bytes
from extract.replay.exchange_clock import Instant

JSON = "application/json;charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Query:
    """One request, already routed to a segment.

    Attributes:
        segment: the venue's part of the server, such as `binance/spot`.
        path: what follows the segment, such as `/api/v3/aggTrades`.
        parameters: the query string, one value a name.
        headers: lower-case names.
        now: the segment's clock.
        body: the request's own body, empty for GET.
        horizon: where the clock runs, the moment after which nothing has happened yet; None where
            it stands still, and all that is held may be served. A skewed clock leaves it alone.
    """

    segment: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    now: Instant
    body: bytes = b""
    horizon: Instant | None = None

    @property
    def known_ms(self) -> int:
        """The last millisecond of which the exchange knows anything."""
        return (self.horizon or self.now).millis


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers of an answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, more: Mapping[str, str]) -> Answer:
        """Return the same answer with more headers."""
        return replace(self, headers={**self.headers, **more})


def json_answer(document: object, *, status: int = 200) -> Answer:
    """Return a document as an answer."""
    return Answer(write_bytes(document), status=status)
