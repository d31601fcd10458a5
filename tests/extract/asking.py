"""Short calls of the entry functions, and what a lake then holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from extract.client import Client
from extract.landing import Landed
from extract.subject import Source
from extract.window import extract_bars, extract_instruments, extract_trades
from lake.bronze import Dataset, parse_name, read_lines
from lake.objects import ObjectStore
from lake.settings import Settings


@dataclass(frozen=True, slots=True)
class Extraction:
    """The entry functions with everything but the question filled in."""

    settings: Settings
    store: ObjectStore
    client: Client
    exchange: str = "binance"
    kind: str = "spot"

    def instruments(self, *, expired: bool = False) -> Landed:
        return extract_instruments(
            self.settings,
            self.store,
            exchange=self.exchange,
            kind=self.kind,
            run_id="run-1",
            clock=self.client.clock,
            expired=expired,
            client=self.client,
        )

    def trades(
        self,
        instrument: str,
        start_ms: int,
        end_ms: int,
        dataset: Dataset = "agg_trades",
        source: Source = "rest",
    ) -> Landed:
        return extract_trades(
            self.settings,
            self.store,
            exchange=self.exchange,
            kind=self.kind,
            instrument=instrument,
            start_ms=start_ms,
            end_ms=end_ms,
            run_id="run-1",
            clock=self.client.clock,
            dataset=dataset,
            source=source,
            client=self.client,
        )

    def bars(
        self,
        instrument: str,
        start_ms: int,
        end_ms: int,
        interval: str = "1m",
        source: Source = "rest",
        *,
        dataset: Dataset = "klines",
    ) -> Landed:
        return extract_bars(
            self.settings,
            self.store,
            exchange=self.exchange,
            kind=self.kind,
            instrument=instrument,
            start_ms=start_ms,
            end_ms=end_ms,
            run_id="run-1",
            clock=self.client.clock,
            interval=interval if dataset == "klines" else None,
            source=source,
            dataset=dataset,
            client=self.client,
        )


def bodies(store: ObjectStore, prefix: str = "bronze/") -> dict[str, list[bytes]]:
    """Return the bodies of each bronze file by its key."""
    keys = [key for key in store.names(prefix) if key.endswith(".ndjson.gz")]
    return {key: [line["body"] for line in lines(store, key)] for key in keys}


def lines(store: ObjectStore, key: str) -> list[dict[str, Any]]:
    """Return the envelopes of one bronze file."""
    content = store.read(key)
    assert content is not None
    return list(read_lines(content))


def covered_ids(store: ObjectStore, prefix: str, id_name: str = "a") -> list[int]:
    """Return the ids that files of REST trades claim and hold, sorted, each as often as held."""
    found = []
    for key, pages in bodies(store, prefix).items():
        held = parse_name(key).coverage
        for page in pages:
            document = json.loads(page, parse_float=str)
            rows = document["result"]["trades"] if isinstance(document, dict) else document
            found += [r[id_name] for r in rows if held.first_id <= r[id_name] <= held.last_id]
    return sorted(found)
