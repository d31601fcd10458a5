"""Keeps account of one connection's subscriptions: what is to be asked, was asked, was refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from extract.live.counters import Counters
from extract.live.stream import Said, Stream
from extract.live.venue import Venue

log = logging.getLogger(__name__)


class Subscribing:
    """The subscriptions of one connection.

    Args:
        venue: how many channels a message may hold.
        streams: what to subscribe to.
        counters: is told what is refused.

    Attributes:
        done: set when every subscription has been answered.
        to_ask: the streams of one message each.
    """

    def __init__(self, venue: Venue, streams: Sequence[Stream], counters: Counters) -> None:
        self.done = asyncio.Event()
        self.to_ask: asyncio.Queue[Sequence[Stream]] = asyncio.Queue()
        self._url = venue.url
        self._counters = counters
        self._asked: dict[int, Sequence[Stream]] = {}
        size = venue.limits.channels
        for n in range(0, len(streams), size):
            self.to_ask.put_nowait(streams[n : n + size])

    def asked(self, number: int, streams: Sequence[Stream]) -> None:
        """Take note of a message that asks for streams."""
        self._asked[number] = streams

    def answered(self, said: Said) -> None:
        """Take note of an answer; where one stream spoils a message, its halves are asked again."""
        asked = self._asked.pop(said.number, ())
        granted = said.granted
        refused = [one for one in asked if granted is not None and one.channel not in granted]
        if said.error and len(refused) > 1:
            middle = len(refused) // 2
            self.to_ask.put_nowait(refused[:middle])
            self.to_ask.put_nowait(refused[middle:])
        else:
            for stream in refused:
                self._counters.of(stream).refused = True
                log.error("%s refuses %s: %s", self._url, stream.channel, said.error or "-")
        if not self._asked and self.to_ask.empty():
            self.done.set()
