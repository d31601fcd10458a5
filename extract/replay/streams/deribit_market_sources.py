"""Sends Deribit's index prices, and the states of its instruments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from extract.replay.deribit_instruments import CREATED, Instrument
from extract.replay.deribit_market import index_price
from extract.replay.exact_json import number
from extract.replay.made_bar import SECOND
from extract.replay.streams.deribit_frames import notification


class IndexPrice:
    """`deribit_price_index.{index}`, once a second: so often the made-up price moves."""

    def __init__(self, channel: str, index: str) -> None:
        self._channel = channel
        self._index = index

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the prices of (after, until]."""
        first = after_ms - after_ms % SECOND + SECOND
        return [self._at(moment) for moment in range(first, until_ms + 1, SECOND)]

    def _at(self, moment: int) -> bytes:
        price = number(index_price(self._index, moment))
        data = {"timestamp": moment, "price": price, "index_name": self._index}
        return notification(self._channel, data)


class States:
    """`instrument.state.{kind}.{currency}`: listed, delivered at expiry, and then archived."""

    def __init__(self, channel: str, instruments: Iterable[Instrument]) -> None:
        self._channel = channel
        self._changes = sorted(
            (moment, one.name, state)
            for one in instruments
            for moment, state in (
                (CREATED, "open"),
                (one.expiry, "delivered"),
                (one.expiry + SECOND, "archivized"),
            )
        )

    def payloads(self, after_ms: int, until_ms: int) -> Sequence[bytes]:
        """Return the changes of (after, until]."""
        return [
            notification(
                self._channel, {"timestamp": moment, "state": state, "instrument_name": name}
            )
            for moment, name, state in self._changes
            if after_ms < moment <= until_ms
        ]
