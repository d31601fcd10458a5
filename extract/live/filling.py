"""Fills holes over REST beside the live data: by id, in threads, within the exchange's limits."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from dataclasses import dataclass

from extract.client import Client
from extract.coverage import Missing
from extract.history.refill import refill
from extract.history.schedule import Wanted
from extract.history.work import work
from extract.landing import Landed
from extract.live.stream import Stream
from extract.live.threads import Threads
from extract.sources import trade_source
from lake.errors import BannedError, CandlelakeError, StorageError, UnreachableError
from lake.objects import ObjectStore
from lake.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of asking for a hole.

    Attributes:
        landed: what is in bronze now.
        fault: why the hole is still open, empty where it is closed.
        passes: whether the fault may pass, so that the hole is to be asked for again.
    """

    landed: Landed
    fault: str = ""
    passes: bool = False


#: What may pass: the exchange can't be reached, has banned us for a while, or the store refuses.
PASSING = (UnreachableError, BannedError, StorageError)


class Filler:
    """Asks for what the live data lacks, in a pool of threads of its own.

    Args:
        settings: where the exchanges are, and how many workers there are.
        store: the lake.
        client: shared by all threads: limits, pauses and bans hold for all.
        run_id: kept in each envelope, and the tag of the files.
    """

    def __init__(
        self, settings: Settings, store: ObjectStore, client: Client, *, run_id: str
    ) -> None:
        self._settings = settings
        self._store = store
        self._client = client
        self._run_id = run_id
        self._threads = Threads("fill", settings.extract.workers)

    def fill(self, stream: Stream, hole: Missing) -> Future[Filled]:
        """Ask for exactly the ids of a hole and land the answers; the future never fails."""
        return self._threads.run(self._filled, stream, hole)

    def newest(self, stream: Stream) -> Future[int | None]:
        """Ask for the newest id that the exchange has; None where nobody can tell."""
        return self._threads.run(self._newest, stream)

    def close(self) -> None:
        """Let no further request go out; what has landed is whole."""
        self._client.stop()

    def _filled(self, stream: Stream, hole: Missing) -> Filled:
        if hole.last_id - hole.first_id >= self._settings.live.fill_ids:
            return Filled(Landed(), "more ids than live.fill_ids")
        try:
            return self._asked(stream, hole)
        except CandlelakeError as error:
            return Filled(Landed(), str(error), passes=isinstance(error, PASSING))
        except Exception as error:
            log.exception("a hole could not be filled")
            return Filled(Landed(), f"{type(error).__name__}: {error}")

    def _asked(self, stream: Stream, hole: Missing) -> Filled:
        settings, client = self._settings, self._client
        schedule = refill(settings, client, _wanted(stream), [hole], run_id=self._run_id)
        landed = Landed()
        waiting = list(schedule.messages)
        while waiting:
            more, following = work(waiting.pop(), settings, self._store, client)
            landed += more
            waiting += [] if following is None else [following]
        is_whole = list(schedule.missing) == [hole]
        return Filled(landed, "" if is_whole else "the exchange no longer gives all of these ids")

    def _newest(self, stream: Stream) -> int | None:
        try:
            source = trade_source(self._client, self._settings, _wanted(stream))
            row = source.newest(lambda _: None)
        except CandlelakeError as error:
            log.info("%s: the newest id can't be asked for: %s", stream.channel, error)
            return None
        return row.id if row else None


def _wanted(stream: Stream) -> Wanted:
    return Wanted(stream.exchange, stream.kind, stream.dataset, stream.instrument, "start")
