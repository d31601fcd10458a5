"""Watches for publications, and gives every follower the bars that are new or revised since.

One watcher a process asks the database, however many follow; a bar is rendered once for all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from lake.errors import ServeError
from serve.api.bars import USUAL
from serve.api.errors import RefusedError, unavailable
from serve.api.health import live_clients, live_dropped
from serve.api.serving import Serving, within
from serve.records import Bar, Publication, Series
from serve.repository import Between

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
#: Bars of a topic that are compared at each publication; older revisions are told by its number.
BARS_COMPARED = 500
#: What waits for one client: a slower one is let go.
MOST_WAITING = 1000
MOST_CLIENTS = 2000
MOST_TOPICS = 500


class Topic(NamedTuple):
    """What is followed: one interval of one series."""

    series_id: int
    interval: str


class Event(NamedTuple):
    """What a follower is told: a bar of a topic, or a publication where there is no topic.

    `place` is the bar's start in ms: from there on a client that was cut off asks again.
    """

    topic: Topic | None
    place: int
    data: bytes


@dataclass(eq=False)
class Follower:
    """One client, and what waits for it."""

    topics: set[Topic] = field(default_factory=set)
    waiting: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))
    is_dropped: bool = False

    def give(self, event: Event) -> None:
        """Let an event wait for the client; one that takes nothing is dropped."""
        if self.is_dropped:
            return
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.is_dropped = True
            live_dropped.inc()


class Watcher:
    """Those who follow in this process, and the task that watches for them."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._followers: set[Follower] = set()
        self._seen: dict[Topic, dict[int, Bar]] = {}
        self._number = -1
        self._task: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Let everybody go, and end."""
        self.stopping.set()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def join(self) -> Follower:
        """Take a client in.

        Raises:
            RefusedError: 503, there are too many.
        """
        self.require_room()
        follower = Follower()
        self._followers.add(follower)
        live_clients.inc()
        return follower

    def require_room(self) -> None:
        """Refuse one client more than are followed up; raises as `join`."""
        if len(self._followers) >= MOST_CLIENTS:
            raise unavailable("busy", "Too many follow already", "Ask for pages in place of it.")

    def leave(self, follower: Follower) -> None:
        """Forget a client, and the topics that were its alone."""
        if follower in self._followers:
            self._followers.remove(follower)
            live_clients.dec()
        followed = {topic for one in self._followers for topic in one.topics}
        self._seen = {topic: bars for topic, bars in self._seen.items() if topic in followed}

    async def follow(
        self, follower: Follower, series: Series, interval: str, since: int | None = None
    ) -> None:
        """Let a client follow a topic: it gets the newest bar at once, or those since a time.

        Raises:
            RefusedError: 503, too many topics are followed.
            DatabaseGoneError: the database can't be asked.
        """
        topic = Topic(series.series_id, interval)
        if topic not in self._seen and len(self._seen) >= MOST_TOPICS:
            raise unavailable("busy", "Too many series are followed", "Ask for pages in place.")
        bars = await self._newest(topic)
        self._seen.setdefault(topic, {bar.bar_start: bar for bar in bars})
        follower.topics.add(topic)
        for bar in bars[-1:] if since is None else bars:
            if since is None or bar.bar_start >= since:
                follower.give(_event(topic, bar))

    async def published(self) -> Event:
        """Return the event of the newest publication."""
        return _published(await self._serving.publication())

    async def _newest(self, topic: Topic) -> Sequence[Bar]:
        between = Between(None, None, BARS_COMPARED, newest_first=True)
        asked = self._serving.repository.bars(*topic, between)
        return (await within(asked, self._serving.options))[::-1]

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except ServeError as error:
                # the next look tells whether it is back; /health says it meanwhile
                log.debug("the database was not seen: %s", error)
            except Exception:
                log.exception("the watcher goes on after a fault")
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        publication = await self._serving.publication()
        if publication.number == self._number:
            return
        is_first, self._number = self._number < 0, publication.number
        if is_first:
            return
        for topic in list(self._seen):
            await self._tell(topic)
        event = _published(publication)
        for follower in self._followers:
            follower.give(event)

    async def _tell(self, topic: Topic) -> None:
        bars = await self._newest(topic)
        before = self._seen.get(topic)
        if before is None:
            return
        changed = [bar for bar in bars if before.get(bar.bar_start) != bar]
        self._seen[topic] = {bar.bar_start: bar for bar in bars}
        events = [_event(topic, bar) for bar in changed]
        for follower in self._followers:
            if topic in follower.topics:
                for event in events:
                    follower.give(event)


def _event(topic: Topic, bar: Bar) -> Event:
    names = [column.name for column in USUAL.columns]
    document = dict(zip(names, USUAL.take(bar), strict=True))
    return Event(topic, bar.bar_start, orjson.dumps(document))


def _published(publication: Publication) -> Event:
    told = {"publication": publication.number, "published_at": publication.published_at}
    return Event(None, publication.published_at, orjson.dumps(told))


def too_slow() -> RefusedError:
    """Return what a client is told that took nothing."""
    what = f"more than {MOST_WAITING} messages waited"
    return RefusedError(503, "too_slow", what, hint="Connect again, with what you have.")
