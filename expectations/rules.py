"""What a suite is made of: named rules in SQL, each saying which rows would break it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pyspark.sql import types as T  # noqa: N812

from lake import schemas

Severity = Literal["critical", "warning"]

#: Stands in a rule for the latest moment that an exchange's clock may show.
LATEST = ":latest"
EXCHANGES = ("binance", "deribit")
COMBOS = ("future_combo", "option_combo")
KINDS = ("coinm", "future", *COMBOS, "index", "option", "spot", "usdm")
#: The market types of exchanges that CCXT asks.
OTHER_KINDS = ("spot", "swap", "future")
MODES = ("archive", "history", "live")
#: SQL: only the price of a combo may be zero or negative.
IS_COMBO = f"kind IN ({', '.join(repr(kind) for kind in COMBOS)})"
#: The columns that tell listings apart.
LISTING = tuple(field.name for field in schemas.IDENTITY if field.name != "instrument")
DATASETS = (
    *("agg_trades", "funding_rates", "index_prices", "instruments", "klines", "mark_klines"),
    "trades",
)


@dataclass(frozen=True, slots=True)
class Expected:
    """A count of rows and how great it may be.

    Attributes:
        name: what holds where the count is within `allowed`.
        rows: the rows counted.
    """

    name: str
    severity: Severity
    rows: int
    allowed: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold of every row of a batch.

    Attributes:
        name: what holds, as `price_above_zero`.
        broken_when: SQL over the table's columns, true for a row that breaks the rule.
        severity: critical stops the batch, warning only reports.
    """

    name: str
    broken_when: str
    severity: Severity = "critical"


@dataclass(frozen=True, slots=True)
class Key:
    """What no two rows of a batch share.

    Attributes:
        within: the columns before the last one.
        last: the column that runs on within them.
        number: SQL, BIGINT that tells values of `last` apart; it runs on in small steps.
    """

    within: tuple[str, ...]
    last: str
    number: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the key."""
        return (*self.within, self.last)


@dataclass(frozen=True, slots=True)
class Suite:
    """The rules of a table's batches.

    Attributes:
        key: checked where given.
        whole: each row of the batch that was not rejected is a row of the frame; `bronze` gates
            envelopes, of which one holds many rows.
    """

    rules: tuple[Rule, ...]
    key: Key | None = None
    whole: bool = True


def required(schema: T.StructType) -> Rule:
    """Return the rule that no required column is null, and no required text empty."""
    columns = [field for field in schema.fields if not field.nullable]
    absent = [f"{field.name} IS NULL" for field in columns]
    empty = [f"{field.name} = ''" for field in columns if isinstance(field.dataType, T.StringType)]
    return Rule("required_columns_present", " OR ".join(absent + empty))


def one_of(column: str, values: Iterable[str]) -> Rule:
    """Return the rule that a text column has one of these values."""
    known = ", ".join(f"'{value}'" for value in sorted(values))
    return Rule(f"{column}_known", f"{column} NOT IN ({known})")


def admitting(suite: Suite, exchanges: Collection[str]) -> Suite:
    """Return a suite that lets in these exchanges of CCXT's too; all others keep their rules."""
    if not exchanges:
        return suite
    known, kinds = one_of("exchange", EXCHANGES), one_of("kind", KINDS)
    is_other = f"NOT ({one_of('exchange', exchanges).broken_when})"
    of_other = one_of("kind", OTHER_KINDS).broken_when
    widened = {
        known.broken_when: one_of("exchange", (*EXCHANGES, *exchanges)).broken_when,
        kinds.broken_when: f"CASE WHEN {is_other} THEN {of_other} ELSE {kinds.broken_when} END",
    }
    rules = list(suite.rules)
    for old, new in widened.items():
        rules = [replace(rule, broken_when=rule.broken_when.replace(old, new)) for rule in rules]
    return replace(suite, rules=tuple(rules))


def above_zero(column: str, *, unless: str | None = None) -> Rule:
    """Return the rule that a column is greater than zero, save where `unless` (SQL) holds."""
    exception = f" AND NOT ({unless})" if unless else ""
    return Rule(f"{column}_above_zero", f"{column} <= 0{exception}")


def not_negative(*columns: str) -> Rule:
    """Return the rule that none of these columns is below zero."""
    broken = " OR ".join(f"{column} < 0" for column in columns)
    return Rule(f"{'_and_'.join(columns)}_not_negative", broken)


def within_history(column: str) -> Rule:
    """Return the rule that a time lies between 2009, older than any exchange, and `LATEST`."""
    broken = f"{column} < TIMESTAMP '2009-01-01 00:00:00Z' OR {column} > {LATEST}"
    return Rule(f"{column}_plausible", broken)


def ordered(name: str, low: str, high: str, *, severity: Severity = "critical") -> Rule:
    """Return the rule that one column is at most as great as another."""
    return Rule(name, f"{low} > {high}", severity)


def day_agrees(moment: str) -> Rule:
    """Return the rule that year, month and day are the UTC day of a timestamp.

    The expression knows no session time zone, as the one that fills the columns.
    """
    day = f"date_from_unix_date(CAST(unix_micros({moment}) div 86400000000 AS INT))"
    parts = [f"{part} <> extract({part} FROM {day})" for part in ("year", "month", "day")]
    return Rule("day_agrees_with_timestamp", " OR ".join(parts))


def provenance() -> Sequence[Rule]:
    """Return the rules of the columns that every silver fact shares."""
    return (
        one_of("exchange", EXCHANGES),
        one_of("kind", KINDS),
        one_of("source", MODES),
        within_history("end_download_timestamp"),
        ordered("persisted_after_download", "end_download_timestamp", "knowledge_timestamp"),
        Rule("bronze_place_known", "bronze_line < 1 OR parser_version < 1"),
    )
