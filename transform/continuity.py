"""The ledger of continuity: the runs of ids held and the holes between them, file by file."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql import types as T  # noqa: N812

from lake import schemas
from transform import spans

KEY = [*[field.name for field in schemas.IDENTITY], "dataset"]
COLUMNS = schemas.CONTINUITY.fieldNames()

#: One row a bronze file that was read: what it was asked for and answered, as its name says.
#: first_id above last_id is an answer of nothing in [proved_from, proved_until).
CLAIMS = T.StructType(
    [field for field in schemas.CONTINUITY if field.name not in {"entry", "cause", "state"}]
)
_ROLES = ("held", "quiet", "hole", "asked", "silent", "missing")


def merge(current: DataFrame, claims: DataFrame, missing: DataFrame) -> DataFrame:
    """Return the whole ledger of some instruments after files have been read.

    Files whose ids overlap or adjoin, or have only holes between them that the exchange itself
    proved, join into one held run over the hull of their times. An answer of nothing stretches
    the runs that it touches in time, but never bridges ids that nobody asked for. Merging in any
    order, or twice, gives the same ledger; ids must grow with time, as the exchanges' do.

    Args:
        current: the rows of `schemas.CONTINUITY` of these instruments, all entries.
        claims: rows of `CLAIMS`, new since then.
        missing: the holes within the ids of `claims`, by `missing.missing`.

    Returns:
        Rows of `schemas.CONTINUITY` that replace `current`. Entry `held`: a maximal run. Entry
        `quiet`: a time asked and answered with nothing that is not inside a run (first_id is one
        above last_id). Entry `hole`: `not_loaded` between two runs, or as in `missing`.
    """
    ledgers = (
        _gathered(current, claims, missing)
        .withColumn("holes", _holes(spans.joined_by_id(F.col("asked"))))
        .withColumn("silences", _silences())
        .withColumn("runs", _runs(F.concat("held", "asked")))
        .withColumn("stretched", _stretched())
    )
    entries = {
        "held": F.col("stretched"),
        "quiet": _outer_silences(),
        "hole": F.concat(_not_loaded(), F.col("holes")),
    }
    tagged = [
        F.transform(rows, lambda span: F.struct(F.lit(entry).alias("entry"), span.alias("span")))  # noqa: B023 - the lambda is called at once
        for entry, rows in entries.items()
    ]
    rows = ledgers.select(*KEY, F.explode(F.concat(*tagged)).alias("row"))
    return rows.select(*KEY, "row.entry", "row.span.*").select(*COLUMNS)


def _gathered(current: DataFrame, claims: DataFrame, missing: DataFrame) -> DataFrame:
    """Bring all that is known of an instrument into one row: there are few files, not few rows."""
    claimed = claims.withColumns({"cause": F.lit(None).cast("string"), "state": F.lit("proved")})
    role = F.when(spans.is_empty(spans.of_row()), "silent").otherwise("asked")
    known = current.where(~F.col("cause").eqNullSafe("not_loaded"))
    rows = (
        known.select(*KEY, F.col("entry").alias("role"), spans.of_row().alias("span"))
        .unionByName(claimed.select(*KEY, role.alias("role"), spans.of_row().alias("span")))
        .unionByName(
            missing.select(*KEY, F.lit("missing").alias("role"), spans.of_row().alias("span"))
        )
    )
    span = F.col("span")
    return rows.groupBy(*KEY).agg(
        *[F.collect_list(F.when(F.col("role") == role, span)).alias(role) for role in _ROLES]
    )


def _holes(asked: Column) -> Column:
    """What is known of holes: new knowledge of an id replaces the old."""

    def asked_again(jump: Column) -> Column:
        return F.exists(
            asked, lambda run: jump["first_id"].between(run["first_id"], run["last_id"])
        )

    known, new = F.col("hole"), _unproved(F.col("missing"), F.col("hole"))
    # a jump of trade numbers has no id of its own: it stands or falls with the row after it
    jumps = F.filter(known, lambda span: spans.is_empty(span) & ~asked_again(span))
    ranges = spans.without(F.filter(known, lambda span: ~spans.is_empty(span)), asked)
    whole = F.concat(ranges, F.filter(new, lambda span: ~spans.is_empty(span)))
    return F.concat(spans.joined_by_cause(whole), jumps, F.filter(new, spans.is_empty))


def _unproved(missing: Column, known: Column) -> Column:
    """What was proved of ids by asking for just them stands; a larger answer adds nothing."""

    def is_weak(span: Column) -> Column:
        return (span["cause"] == "left_out") | (span["state"] == "assumed")

    proved = F.filter(
        known, lambda span: (span["cause"] == "exchange_hole") & ~spans.is_empty(span)
    )
    weak = F.filter(missing, is_weak)
    return F.concat(
        F.filter(missing, lambda span: ~is_weak(span)),
        spans.without(weak, spans.joined_by_id(proved)),
        spans.within(proved, spans.joined_by_id(weak)),
    )


def _silences() -> Column:
    answers = spans.joined_by_time(F.concat("quiet", "silent"))

    # which ids an empty answer names is arbitrary; the highest does not depend on order
    return F.transform(answers, lambda span: span.withField("first_id", span["last_id"] + 1))


def _runs(loaded: Column) -> Column:
    vouched = F.filter("holes", lambda span: (span["state"] == "proved") & ~spans.is_empty(span))
    islands = spans.joined_by_id(F.concat(loaded, vouched))
    runs = F.transform(islands, lambda island: spans.hull(_inside(loaded, island)))
    return F.transform(F.filter(runs, lambda run: run["first_id"].isNotNull()), _with_trade_numbers)


def _inside(loaded: Column, island: Column) -> Column:
    return F.filter(
        loaded, lambda span: span["first_id"].between(island["first_id"], island["last_id"])
    )


def _with_trade_numbers(run: Column) -> Column:
    of_trades = F.col("dataset") == "trades"
    first = F.when(of_trades, run["first_id"]).otherwise(run["first_trade_seq"])
    last = F.when(of_trades, run["last_id"]).otherwise(run["last_trade_seq"])
    named = run.withField("first_trade_seq", first).withField("last_trade_seq", last)
    return named.withField("cause", F.lit(None).cast("string")).withField("state", F.lit("proved"))


def _stretched() -> Column:
    def reach(run: Column) -> Column:
        near = F.filter(
            "silences",
            lambda silence: (
                (silence["proved_from"] <= run["proved_until"])
                & (silence["proved_until"] >= run["proved_from"])
            ),
        )
        since = F.least(run["proved_from"], F.array_min(near["proved_from"]))
        until = F.greatest(run["proved_until"], F.array_max(near["proved_until"]))
        return run.withField("proved_from", since).withField("proved_until", until)

    return F.transform("runs", reach)


def _outer_silences() -> Column:
    """Forget an answer of nothing once it lies inside a run; at its edge it may stretch others."""

    def is_inside(silence: Column) -> Column:
        return F.exists(
            "stretched",
            lambda run: (
                (run["proved_from"] < silence["proved_from"])
                & (silence["proved_until"] < run["proved_until"])
            ),
        )

    return F.filter("silences", lambda silence: ~is_inside(silence))


def _not_loaded() -> Column:
    def gap(left: Column, right: Column) -> Column:
        fields = {
            "first_id": left["last_id"] + 1,
            "last_id": right["first_id"] - 1,
            "first_trade_seq": left["last_trade_seq"] + 1,
            "last_trade_seq": right["first_trade_seq"] - 1,
            "proved_from": F.least(left["proved_until"], right["proved_from"]),
            "proved_until": F.greatest(left["proved_until"], right["proved_from"]),
            "cause": F.lit("not_loaded"),
            "state": F.lit("open"),
        }
        return F.struct(*[value.alias(name) for name, value in fields.items()])

    runs = F.col("stretched")
    between = F.zip_with(
        runs,
        F.slice(runs, F.lit(2), F.size(runs)),
        lambda left, right: F.when(right.isNotNull(), gap(left, right)),
    )
    return F.filter(between, lambda hole: hole.isNotNull())
