"""One budget a host for all workers behind one address, kept in Redis; pauses and bans too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from extract.budget import TURN_SECONDS, WEIGHT_HEADER
from lake.clock import to_micros, to_millis
from lake.errors import BannedError, UnreachableError

#: A minute's sum is of no use once the minute has passed; two give slow clocks time.
MINUTE_KEPT_SECONDS = 120
#: An exchange's own word on its limit is asked for again with every discovery.
CEILING_KEPT_SECONDS = 86_400
#: Sums what workers take of a minute; 0 where it may go out, else 1. A request heavier than the
#: whole ceiling goes out alone, or it never would.
TAKE_WEIGHT = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local weight, ceiling = tonumber(ARGV[1]), tonumber(ARGV[2])
if used > 0 and used + weight > ceiling then return 1 end
redis.call('INCRBY', KEYS[1], weight)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 0
"""
#: Believes the exchange's own count where it is higher than the sum of ours.
LEARN_WEIGHT = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > used then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
end
"""
#: Takes the next slot of an even pace: 0, or the microseconds until it comes.
TAKE_SLOT = """
local now, step = tonumber(ARGV[1]), tonumber(ARGV[2])
local next = tonumber(redis.call('GET', KEYS[1]) or '0')
if now < next then return next - now end
redis.call('SET', KEYS[1], string.format('%.0f', now + step), 'EX', 60)
return 0
"""


class _Shared:
    """What every shared budget has: its keys, a pause, a ban."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = f"candlelake:budget:{name}"

    def grant(self, ceiling: int) -> None:
        """Only a budget of weight a minute has a ceiling."""

    def share_pause(self, seconds: float, now: datetime) -> None:
        """Let no worker send for `seconds`."""
        until = to_millis(now) + int(seconds * 1000)
        self._call("SET", f"{self._name}:pause", until, "EX", max(1, int(seconds) + 1))

    def share_ban(self, reason: str, seconds: int) -> None:
        """Let no worker send until the ban ends."""
        self._call("SET", f"{self._name}:ban", reason, "EX", max(1, seconds))

    def _shared_wait(self, now: datetime) -> float:
        """Return the seconds of a pause that another worker was told.

        Raises:
            BannedError: another worker was banned.
        """
        ban, pause = self._call("MGET", f"{self._name}:ban", f"{self._name}:pause")
        if ban is not None:
            raise BannedError(ban.decode(), where=self._name, hint="No request was sent.")
        return max(0, int(pause or 0) - to_millis(now)) / 1000

    def _call(self, *words: Any) -> Any:
        try:
            return self._redis.execute_command(*words)  # type: ignore[no-untyped-call]
        except RedisError as error:
            raise UnreachableError(
                f"the shared budget can't be read or written: {error}",
                where=self._name,
                hint="Check workers.redis_url and the server.",
            ) from error

    def _run(self, script: str, key: str, *words: Any) -> int:
        return cast("int", self._call("EVAL", script, 1, key, *words) or 0)


class SharedMinuteWeight(_Shared):
    """Binance's request weight a minute, summed over all workers."""

    def __init__(self, redis: Redis, name: str, ceiling: int) -> None:
        super().__init__(redis, name)
        self._ceiling = ceiling

    def grant(self, ceiling: int) -> None:
        """Let no worker take more than `ceiling` a minute from now on."""
        self._call("SET", f"{self._name}:ceiling", ceiling, "EX", CEILING_KEPT_SECONDS)

    def reserve(self, weight: int, now: datetime) -> float:
        """Take `weight`, or return the seconds until the minute turns or a pause ends."""
        if (paused := self._shared_wait(now)) > 0:
            return paused
        ceiling = self._granted()
        full = self._run(TAKE_WEIGHT, self._minute(now), weight, ceiling, MINUTE_KEPT_SECONDS)
        into_minute = to_micros(now) % 60_000_000 / 1_000_000
        return 60 - into_minute + TURN_SECONDS if full else 0

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:  # noqa: ARG002 - taken for good
        """Learn what the exchange has counted."""
        counted = headers.get(WEIGHT_HEADER, "")
        # just after the turn a header may still be of the exchange's minute before
        if counted.isdecimal() and to_micros(now) % 60_000_000 > TURN_SECONDS * 1_000_000:
            self._run(LEARN_WEIGHT, self._minute(now), counted, MINUTE_KEPT_SECONDS)

    def used_percent(self, now: datetime) -> int:
        """Return the minute's weight that all workers have taken, of our share."""
        return int(self._call("GET", self._minute(now)) or 0) * 100 // self._granted()

    def _granted(self) -> int:
        told = self._call("GET", f"{self._name}:ceiling")
        return self._ceiling if told is None else min(self._ceiling, int(told))

    def _minute(self, now: datetime) -> str:
        return f"{self._name}:{to_micros(now) // 60_000_000}"


class SharedPace(_Shared):
    """An even pace of requests a second over all workers."""

    def __init__(self, redis: Redis, name: str, per_second: float) -> None:
        super().__init__(redis, name)
        self._micros_each = 1_000_000 / per_second

    def reserve(self, weight: int, now: datetime) -> float:
        """Take the next slot, or return the seconds until it comes or a pause ends."""
        if (paused := self._shared_wait(now)) > 0:
            return paused
        step = int(self._micros_each * weight)
        return self._run(TAKE_SLOT, f"{self._name}:next", to_micros(now), step) / 1_000_000

    def settle(self, weight: int, headers: Mapping[str, str], now: datetime) -> None:
        """Nothing comes back: the slot is spent."""

    def used_percent(self, now: datetime) -> None:
        """A pace has no sum to be a part of."""
