"""Discovers instruments: lands a raw snapshot where it says something new, and reads names back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from extract.answer import Answer, Request
from extract.client import Client
from extract.landing import Landed, Landing, Piece, held_names
from extract.listing import Listing
from extract.venues import binance, deribit
from lake.bronze import ALL_INSTRUMENTS, BronzeName, Coverage, read_lines
from lake.clock import to_millis
from lake.errors import ExtractError, UsageError
from lake.objects import ObjectStore
from lake.settings import Settings

MINUTE_MS = 60_000
#: What changes with each answer and says nothing about an instrument.
CLOCKS = frozenset({"serverTime", "usIn", "usOut", "usDiff"})
LISTINGS: dict[str, Callable[[Any], list[Listing]]] = {
    "binance": binance.listings,
    "deribit": deribit.listings,
}


def requests_of(
    settings: Settings, exchange: str, kind: str, *, expired: bool = False
) -> list[Request]:
    """Return how an exchange is asked for all instruments of a kind.

    Raises:
        UsageError: the exchange or its kind is unknown.
    """
    if exchange == "binance":
        return binance.instruments_requests(settings, kind)
    if exchange == "deribit":
        return deribit.instruments_requests(settings, kind, expired=expired)
    raise UsageError(f"unknown exchange '{exchange}'", hint=f"Known are {', '.join(LISTINGS)}.")


def look(client: Client, settings: Settings, exchange: str, kind: str) -> Snapshot:
    """Ask for all instruments of a kind.

    Of an exchange that CCXT asks, they serve to find names alone: nothing of them lands.

    Raises:
        UsageError: the exchange or its kind is unknown.
        UnreachableError, BannedError, PermanentExtractError: as `Client.ask`.
    """
    if exchange not in settings.exchanges.others:
        return ask_snapshot(client, exchange, requests_of(settings, exchange, kind))
    from extract.venues import ccxt_asking  # noqa: PLC0415 - ccxt takes a second to load

    found = ccxt_asking.listings(client, settings, exchange, kind)
    return Snapshot([], found, ccxt_asking.clock_ms(client, settings, exchange), "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All instruments of a kind, as the exchange answered just now; nothing has landed yet.

    Attributes:
        answers: the raw answers; none where they do not land.
        listings: the instruments in them, each once, sorted by name.
        clock_ms: the exchange's own clock.
        tag: changes when an instrument does, and not with the time.
    """

    answers: Sequence[Answer]
    listings: Sequence[Listing]
    clock_ms: int
    tag: str


def ask_snapshot(client: Client, exchange: str, requests: Sequence[Request]) -> Snapshot:
    """Ask for the instruments, and heed the limit that is told; raises like `Client.ask`."""
    asked = [client.ask(request, lambda document: document) for request in requests]
    documents = [document for _, document in asked]
    for request, document in zip(requests, documents, strict=True):
        if granted := binance.weight_per_minute(document):
            client.grant(request.base, granted)
    return Snapshot(
        [answer for answer, _ in asked],
        _listings(exchange, documents),
        max(_clock_ms(answer, document) for answer, document in asked),
        content_tag(documents),
    )


def land_snapshot(landing: Landing, snapshot: Snapshot) -> Landed:
    """Land a snapshot, unless the newest one says the same.

    It is named by the minute of the exchange's clock and by the content of its bodies, so that
    the same minute gives the same object, and a clock that stands still a standing object.
    """
    newest = newest_snapshot(landing.store, landing.exchange, landing.kind)
    clock_ms, minute = snapshot.clock_ms, snapshot.clock_ms // MINUTE_MS
    if newest is not None and (newest.tag == snapshot.tag or newest.coverage.first_id == minute):
        return Landed(files_held=1, venue_clock_ms=clock_ms)
    start = minute * MINUTE_MS
    landed = landing.land(
        [Piece.of(answer) for answer in snapshot.answers],
        Coverage(minute, minute, start, start + MINUTE_MS),
        rows=len(snapshot.listings),
        tag=snapshot.tag,
    )
    return landed + Landed(venue_clock_ms=clock_ms)


def content_tag(documents: Sequence[Any]) -> str:
    """Return 12 hex digits that change when an instrument does, and not with the time."""
    stripped = [
        {key: value for key, value in document.items() if key not in CLOCKS}
        for document in documents
    ]
    text = json.dumps(stripped, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def newest_snapshot(store: ObjectStore, exchange: str, kind: str) -> BronzeName | None:
    """Return the name of the newest instruments snapshot, None where none has landed."""
    names = held_names(store, "instruments", exchange, kind, ALL_INSTRUMENTS)
    return max(names, key=lambda name: (name.coverage, name.tag), default=None)


def discovered(store: ObjectStore, exchange: str, kind: str) -> list[Listing]:
    """Return the instruments of the newest landed snapshot, without any request.

    Raises:
        ExtractError: no snapshot has landed yet.
    """
    newest = newest_snapshot(store, exchange, kind)
    content = store.read(newest.key) if newest else None
    if content is None:
        raise ExtractError(
            f"no instruments of {exchange} {kind} have landed yet",
            hint="Extract the instruments first.",
        )
    documents = [json.loads(line["body"], parse_float=str) for line in read_lines(content)]
    return _listings(exchange, documents)


def _listings(exchange: str, documents: Sequence[Any]) -> list[Listing]:
    found = {listing for document in documents for listing in LISTINGS[exchange](document)}
    return sorted(found, key=lambda listing: listing.instrument)


def _clock_ms(answer: Answer, document: Any) -> int:
    if "serverTime" in document:
        return int(document["serverTime"])
    if "usOut" in document:
        return int(document["usOut"]) // 1000
    return answer.date_ms or to_millis(answer.received)
