"""What is polled, by the host that is asked: each has a clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from extract.answer import Request
from extract.venues import binance, deribit, deribit_index
from lake.errors import UsageError
from lake.settings import Settings

PATTERN = "*?["


@dataclass(frozen=True, slots=True, order=True)
class Instrument:
    """An instrument whose newest bar is polled, by the venue's own name."""

    exchange: str
    kind: str
    name: str

    @classmethod
    def of(cls, text: str) -> Instrument:
        """Read `exchange/kind/name`.

        Raises:
            UsageError: it is no such text, a pattern, or of an exchange that has no clock to ask.
        """
        exchange, _, rest = text.partition("/")
        kind, _, name = rest.partition("/")
        kinds = {"binance": tuple(binance.MARKETS), "deribit": deribit.KINDS}.get(exchange)
        if not name or any(mark in name for mark in PATTERN):
            raise UsageError(
                f"'{text}' names no instrument",
                hint="Write exchange/kind/name, such as binance/spot/BTCUSDT; no pattern.",
            )
        if kinds is None or kind not in kinds:
            raise UsageError(
                f"the newest bars of '{exchange}/{kind}' can't be polled",
                hint="They can of binance and deribit, of the kinds that candlelake extract has.",
            )
        return cls(exchange, kind, name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is polled at one host.

    Attributes:
        exchange: the exchange.
        segment: the kind that the host is of; empty where one host has all kinds.
        indexes: names of indexes.
        instruments: of which the newest bar is wanted.
    """

    exchange: str
    segment: str
    indexes: tuple[str, ...] = ()
    instruments: tuple[Instrument, ...] = ()

    def time_request(self, settings: Settings) -> Request:
        """Return how the host is asked for its time."""
        if self.exchange == "deribit":
            return deribit_index.time_request(settings)
        market = binance.MARKETS[self.segment]
        base = binance.segment(settings, self.segment).rest_url
        return Request(base, f"{market.prefix}/time")


def by_host(indexes: Sequence[str], instruments: Sequence[Instrument]) -> list[Wanted]:
    """Return what is polled at each host, each name once, sorted.

    Raises:
        UsageError: nothing is wanted.
    """
    hosts: dict[tuple[str, str], set[Instrument]] = {}
    if indexes:
        hosts["deribit", ""] = set()
    for one in instruments:
        segment = "" if one.exchange == "deribit" else one.kind
        hosts.setdefault((one.exchange, segment), set()).add(one)
    if not hosts:
        raise UsageError(
            "nothing is to be polled",
            hint="Name indexes with --indexes, or instruments with --bars.",
        )
    return [
        Wanted(
            exchange,
            segment,
            tuple(sorted(set(indexes))) if exchange == "deribit" else (),
            tuple(sorted(found)),
        )
        for (exchange, segment), found in sorted(hosts.items())
    ]
