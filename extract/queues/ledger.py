"""What workers of one run tell each other in Redis: chains that are open, rows landed, the dead."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis import Redis

from extract.history.message import Message
from extract.landing import Landed

#: What nobody asks for any more is forgotten after a week.
KEPT_SECONDS = 7 * 86_400
DEAD = "candlelake:dead"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is.

    Attributes:
        open_chains: chains that have not ended.
        rows: rows landed.
        files: bronze files that appeared.
    """

    open_chains: int
    rows: int
    files: int


class RunLedger:
    """The account of one run."""

    def __init__(self, redis: Redis, run_id: str) -> None:
        self._redis = redis
        self._open = f"candlelake:run:{run_id}:open"
        self._rows = f"candlelake:run:{run_id}:rows"
        self._files = f"candlelake:run:{run_id}:files"
        self._dead = f"candlelake:run:{run_id}:dead"
        self._sent = f"candlelake:run:{run_id}:sent"

    def begin(self, messages: Sequence[Message]) -> None:
        """Count the chains that these messages start."""
        if messages:
            self._redis.sadd(self._open, *[one.chain for one in messages])
            self._redis.expire(self._open, KEPT_SECONDS)

    def is_sent(self, message: Message) -> bool:
        """Tell whether this message has been sent already: one handled twice sends once."""
        return bool(self._redis.sismember(self._sent, message.digest))

    def sent(self, message: Message) -> None:
        """Remember that a message is in the queue; called after it is, so that none is lost."""
        self._redis.sadd(self._sent, message.digest)
        self._redis.expire(self._sent, KEPT_SECONDS)

    def landed(self, landed: Landed) -> None:
        """Count the files that appeared, and their rows."""
        for key, count in ((self._rows, landed.rows), (self._files, landed.files_created)):
            self._redis.incrby(key, count)
            self._redis.expire(key, KEPT_SECONDS)

    def end(self, message: Message) -> None:
        """Close the chain that a message belongs to; again changes nothing."""
        self._redis.srem(self._open, message.chain)

    def bury(self, text: str, message: Message | None, reason: str) -> None:
        """Put a message aside with its reason, and close its chain."""
        self._redis.rpush(DEAD, json.dumps({"message": text, "reason": reason}))
        if message is not None:
            self._redis.rpush(self._dead, reason)
            self._redis.expire(self._dead, KEPT_SECONDS)
            self.end(message)

    def standing(self) -> Standing:
        """Return how far the run is."""
        pipe = self._redis.pipeline()
        pipe.scard(self._open)
        pipe.mget(self._rows, self._files)
        open_chains, (rows, files) = pipe.execute()
        return Standing(open_chains, int(rows or 0), int(files or 0))

    def reasons(self) -> list[str]:
        """Return why messages of this run can't be worked on."""
        found = cast("list[bytes]", self._redis.lrange(self._dead, 0, -1))
        return [one.decode() for one in found]
