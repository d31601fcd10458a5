"""Draws what goes wrong, and when: the same seed and length give the same plan."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

#: The first collector has so long to start: a stream begins with its first frame.
LEAD_SECONDS = 20
REGIONS = ("tokyo", "frankfurt")
LIVES = 6
#: How long two collectors of a region run side by side, at least.
OVERLAP_SECONDS = 4
FROZEN_SECONDS = 2.0
#: Of a soak so long troubles come every few seconds; of a longer one as often in all. The pipeline
#: is killed once in so long.
CLOSE_SECONDS = 300.0

Fate = Literal["lives", "killed", "frozen"]


@dataclass(frozen=True, slots=True)
class Life:
    """One collector: where it runs, from when on and how long (s), and what becomes of it."""

    region: str
    begins: float
    lifetime: int
    overlap: int
    fate: Fate
    fate_after: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """A while in which the storage is slow, frozen, or not to be reached.

    Attributes:
        kind: what it is.
        begins, seconds: from when on, and how long.
        latency_seconds: of each piece that passes, in both directions.
        bytes_per_second: of each connection and direction.
    """

    kind: Literal["slow", "frozen", "away"]
    begins: float
    seconds: float
    latency_seconds: float = 0.0
    bytes_per_second: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """All that happens to a soak."""

    seconds: float
    lives: tuple[Life, ...]
    troubles: tuple[Trouble, ...]
    pipeline_kills: tuple[float, ...]
    stream_seed: int


def draw(minutes: float, seed: int) -> Plan:
    """Return what happens in a soak of so many minutes."""
    chance = random.Random(seed)  # noqa: S311 - faults are no secret
    seconds = minutes * 60
    whole = seconds + LEAD_SECONDS
    lives = [*_first_region(whole, chance), *_second_region(whole, chance)]
    often = max(1, round(seconds / CLOSE_SECONDS))
    kills = tuple(seconds * (n + chance.uniform(0.4, 0.6)) / often for n in range(often))
    troubles = tuple(_troubles(seconds, chance))
    return Plan(seconds, tuple(lives), troubles, kills, chance.randrange(1000))


def _first_region(whole: float, chance: random.Random) -> Iterator[Life]:
    """Yield collectors that follow one another; some are killed, some are frozen."""
    length = whole / LIVES
    fates: tuple[Fate, ...] = ("lives", "killed", "frozen")
    for number in range(LIVES):
        after = length * chance.uniform(0.3, 0.7)
        yield _life(REGIONS[0], number * length, length, fates[number % 3], after)


def _second_region(whole: float, chance: random.Random) -> Iterator[Life]:
    """Yield half as many, twice as long, that begin in the middle of the others' lives."""
    length = whole / LIVES * 2
    fates: tuple[Fate, ...] = ("frozen", "killed", "lives")
    for number in range(LIVES // 2):
        after = length * chance.uniform(0.3, 0.7)
        fate = chance.choice(fates)
        yield _life(REGIONS[1], (number + 0.25) * length, length, fate, after)


def _life(region: str, begins: float, length: float, fate: Fate, after: float) -> Life:
    overlap = max(OVERLAP_SECONDS, int(length / 20))
    return Life(region, begins, int(length), overlap, fate, after)


def _troubles(seconds: float, chance: random.Random) -> Iterator[Trouble]:
    scale = max(1.0, seconds / CLOSE_SECONDS)
    at = chance.uniform(4, 8) * scale
    while at < seconds:
        kind = chance.choice(("slow", "slow", "frozen", "away"))
        if kind == "slow":
            lasts = chance.uniform(4, 9) * scale
            latency, rate = chance.uniform(0.005, 0.05), chance.randrange(100_000, 2_000_000)
            yield Trouble("slow", at, lasts, latency, rate)
        elif kind == "frozen":
            lasts = chance.uniform(2, 6)
            yield Trouble("frozen", at, lasts)
        else:
            lasts = chance.uniform(1, 3)
            yield Trouble("away", at, lasts)
        at += lasts + chance.uniform(3, 8) * scale
