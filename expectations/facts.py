"""Measures a batch for its gate: how many rows break each rule, in as few passes as can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

from expectations.rules import LATEST, Key, Rule, Suite

ROWS = "rows"
#: The expectation that no two rows share a key.
KEY_UNIQUE = "key_unique"


@dataclass(frozen=True, slots=True)
class Facts:
    """What was counted over one batch.

    Attributes:
        rows: the rows of the frame.
        broken: rule -> the rows that break it.
        repeats: the rows beyond the first of each key; None where the suite has no key.
    """

    rows: int
    broken: Mapping[str, int]
    repeats: int | None


def measure(frame: DataFrame, suite: Suite, *, latest: datetime) -> Facts:
    """Count the rows of a batch, those that break each rule, and the repeated keys.

    Args:
        frame: cached by the caller where the suite has a key.
        suite: the rules; its SQL names columns of the frame.
        latest: the latest plausible time, aware.
    """
    breaks = [F.count_if(breaking(rule, latest)).alias(rule.name) for rule in suite.rules]
    counts = _first(frame.agg(F.count(F.lit(1)).alias(ROWS), *breaks))
    broken = {rule.name: counts[rule.name] for rule in suite.rules}
    repeats = _repeats(frame, suite.key) if suite.key else None
    return Facts(counts[ROWS], broken, repeats)


def breaks_any(suite: Suite, *, latest: datetime) -> Column:
    """Return whether a row breaks any rule, never null: the fast path of a caller's own pass."""
    # greatest() steps over nulls
    return F.greatest(F.lit(False), *[breaking(rule, latest) for rule in suite.rules])


def faultless(rows: int, suite: Suite, *, repeats: int | None) -> Facts:
    """Return the facts of a batch of which a pass of the caller's has found no rule broken."""
    return Facts(rows, {rule.name: 0 for rule in suite.rules}, repeats)


def breaking(rule: Rule, latest: datetime) -> Column:
    """Return whether a row breaks a rule, `latest` put in its place."""
    moment = f"TIMESTAMP '{latest.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}Z'"
    return F.expr(rule.broken_when.replace(LATEST, moment))


def example(frame: DataFrame, suite: Suite, name: str, *, latest: datetime) -> str | None:
    """Return a row that breaks a rule, or a key that repeats, as JSON text with its nulls.

    None where `name` is of no rule, and not `KEY_UNIQUE`.
    """
    if name == KEY_UNIQUE and suite.key:
        found = _repeated(frame, suite.key)
    else:
        rules = [rule for rule in suite.rules if rule.name == name]
        if not rules:
            return None
        found = frame.where(breaking(rules[0], latest))
    text = F.to_json(F.struct(*found.columns), {"ignoreNullFields": "false"})
    rows = found.select(text).take(1)
    return rows[0][0] if rows else None


def _repeated(frame: DataFrame, key: Key) -> DataFrame:
    counted = frame.groupBy(*key.columns).agg((F.count(F.lit(1)) - 1).alias("beyond_first"))
    return counted.where("beyond_first > 0")


def _first(one_row: DataFrame) -> dict[str, int]:
    return one_row.collect()[0].asDict()


def _repeats(frame: DataFrame, key: Key) -> int:
    """Count the rows beyond the first of each key.

    Numbers that run on share one BIGINT of 64 bits each, so the shuffle is a small part of the
    rows. Listings are told apart by a hash: a collision can only seem to repeat a key, and what
    seems to repeat is counted again by the key itself.
    """
    block = F.xxhash64(*key.within, F.expr(f"shiftright({key.number}, 6)")).alias("block")
    bit = F.expr(f"shiftleft(1L, CAST(({key.number}) & 63 AS INT))")
    blocks = frame.groupBy(block).agg(F.bit_or(bit).alias("seen"), F.count(F.lit(1)).alias("rows"))
    surplus = F.coalesce(F.sum(F.col("rows") - F.bit_count("seen")), F.lit(0))
    if _first(blocks.agg(surplus.alias("surplus")))["surplus"] == 0:
        return 0
    exact = F.coalesce(F.sum("beyond_first"), F.lit(0)).alias("repeats")
    return _first(_repeated(frame, key).agg(exact))["repeats"]
