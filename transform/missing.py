"""Which ids of what was asked for are not held: silver's rows against the claims of their files."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from lake import schemas
from transform import spans

IDENTITY = [field.name for field in schemas.IDENTITY]
#: Ids a block. A block without a hole becomes one span by hashing; only others are sorted.
BLOCK = 4096
#: Binance's markets in which the insurance fund and deleveraging take trade numbers.
OFF_BOOK_KINDS = ("usdm", "coinm")


def missing(rows: DataFrame, claims: DataFrame, rejected: DataFrame, dataset: str) -> DataFrame:
    """Return the ids inside claims that silver does not hold, as intervals with their cause.

    Args:
        rows: silver rows of `dataset` over the ids of the claims and one beyond either end;
            unique by their key.
        claims: rows of `continuity.CLAIMS`; those of other datasets are left aside.
        rejected: identity, first_id, last_id and cause (`quarantined` or
            `invalidated_by_the_exchange`) of rows that were turned away; one whose id can't be
            read stands for all ids of its file, so that nothing is taken for the exchange's own.
        dataset: trades or agg_trades.

    Returns:
        Rows of `schemas.CONTINUITY`, entry `hole`, with one of these causes:

        - `exchange_hole`, proved: a file that claims these ids came without a row, so the exchange
          was asked for just them and has none; or aggregates lack an id but no trade number;
        - `off_book`: trade numbers of futures that their insurance fund and deleveraging take, and
          no answer ever holds. Between aggregates they are proved; between single trades of an
          answer they are assumed, as it may have lost some (`off_book.weighed` judges them);
        - `left_out`, open: other ids between rows of an answer, which may have lost them;
        - `quarantined`, open: we have the row and can't use it;
        - `invalidated_by_the_exchange`, proved.

        Times are those of the neighbours held. A jump of trade numbers between two aggregates that
        adjoin is a hole with last_id = first_id - 1, and never open: no aggregate lies there.
    """
    asked = claims.where((F.col("dataset") == dataset) & (F.col("first_id") <= F.col("last_id")))
    known = _gathered(present(rows, dataset), asked, rejected)
    found = (
        known.withColumn("dataset", F.lit(dataset))
        .withColumn("alone", _alone())
        .withColumn("asked", spans.joined_by_id(F.col("asked")))
        .withColumn("gaps", _gaps(F.array_sort("present")))
        .withColumn("holes", _holes())
    )
    key = [*IDENTITY, "dataset"]
    holes = found.select(*key, F.explode(F.concat(_explained(), _jumps())).alias("hole"))
    columns = holes.select(*key, F.lit("hole").alias("entry"), "hole.*")
    if dataset == "trades":
        numbers = {"first_trade_seq": F.col("first_id"), "last_trade_seq": F.col("last_id")}
        columns = columns.withColumns(numbers)
    return columns.select(*schemas.CONTINUITY.fieldNames())


def present(rows: DataFrame, dataset: str) -> DataFrame:
    """Return the spans of ids held: sound blocks whole, the others run by run.

    A span skips no id and no trade number: identity, first_id to last_id, first_trade_seq to
    last_trade_seq, and the times of its ends.
    """
    block = [*IDENTITY, "block"]
    numbers = _numbers(rows, dataset)
    blocks = numbers.groupBy(*block).agg(*_span(), F.count(F.lit(1)).alias("rows")).where(_sound())
    unsound = numbers.join(blocks.select(*block), on=block, how="left_anti")
    in_order = Window.partitionBy(*block).orderBy("id")
    upto = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    follows = (F.lag("id").over(in_order) == F.col("id") - 1) & (
        F.lag("last_seq").over(in_order) == F.col("first_seq") - 1
    )
    runs = (
        unsound.withColumn("opens", F.when(follows, F.lit(0)).otherwise(F.lit(1)))
        .withColumn("run", F.sum("opens").over(upto))
        .groupBy(*block, "run")
        .agg(*_span())
    )
    return blocks.drop("block", "rows", "covered").unionByName(runs.drop("block", "run", "covered"))


def _numbers(rows: DataFrame, dataset: str) -> DataFrame:
    names = ("trade_seq",) * 3
    if dataset == "agg_trades":
        names = ("agg_id", "first_trade_seq", "last_trade_seq")
    return rows.select(
        *IDENTITY,
        F.col(names[0]).alias("id"),
        F.col(names[1]).alias("first_seq"),
        F.col(names[2]).alias("last_seq"),
        F.col("trade_timestamp").alias("time"),
        F.call_function("div", F.col(names[0]), F.lit(BLOCK)).alias("block"),
    )


def _span() -> list[Column]:
    return [
        F.min("id").alias("first_id"),
        F.max("id").alias("last_id"),
        F.min("first_seq").alias("first_trade_seq"),
        F.max("last_seq").alias("last_trade_seq"),
        F.sum(F.col("last_seq") - F.col("first_seq") + 1).alias("covered"),
        F.min("time").alias("proved_from"),
        F.max("time").alias("proved_until"),
    ]


def _sound() -> Column:
    """As many rows as ids and as many trades as trade numbers: nothing is missing inside."""
    ids = F.col("rows") == F.col("last_id") - F.col("first_id") + 1
    trades = F.col("last_trade_seq") - F.col("first_trade_seq") + 1
    return ids & (F.col("covered") == trades)


def _gathered(present: DataFrame, asked: DataFrame, rejected: DataFrame) -> DataFrame:
    roles = {"present": present, "asked": asked, "turned_away": rejected}
    nothing = {field.name: F.lit(None).cast(field.dataType) for field in spans.SPAN}
    parts = []
    for role, rows in roles.items():
        absent = {name: value for name, value in nothing.items() if name not in rows.columns}
        span = spans.of_row().alias("span")
        parts.append(rows.withColumns(absent).select(*IDENTITY, F.lit(role).alias("role"), span))
    together = parts[0].unionByName(parts[1]).unionByName(parts[2])
    return together.groupBy(*IDENTITY).agg(
        *[
            F.collect_list(F.when(F.col("role") == role, F.col("span"))).alias(role)
            for role in roles
        ]
    )


def _gaps(present: Column) -> Column:
    """What lies before, between and after the spans held: ids, trade numbers, neighbours' times.

    A gap without an id is kept where trade numbers jump.
    """
    ends = F.array(F.lit(None).cast(spans.SPAN))

    of_trades = F.col("dataset") == "trades"

    def gap(left: Column, right: Column) -> Column:
        off_book = F.coalesce(_is_off_book(left, right), F.lit(False))
        fields = {
            "first_id": F.coalesce(left["last_id"] + 1, F.lit(-(2**63))),
            "last_id": F.coalesce(right["first_id"] - 1, F.lit(2**63 - 1)),
            "first_trade_seq": left["last_trade_seq"] + 1,
            "last_trade_seq": right["first_trade_seq"] - 1,
            "proved_from": left["proved_until"],
            "proved_until": right["proved_from"],
            "cause": F.when(off_book, "off_book").otherwise("exchange_hole"),
            "state": F.when(of_trades & off_book, "assumed").otherwise("proved"),
        }
        return F.struct(*[value.alias(name) for name, value in fields.items()])

    gaps = F.zip_with(F.concat(ends, present), F.concat(present, ends), gap)
    return F.filter(
        gaps,
        lambda span: ~spans.is_empty(span) | (span["first_trade_seq"] <= span["last_trade_seq"]),
    )


def _holes() -> Column:
    """The gaps within what was asked; at its ends with the times of the asking."""

    def of_claim(claim: Column) -> Column:
        gaps = spans.within(F.filter("gaps", lambda gap: ~spans.is_empty(gap)), F.array(claim))
        return F.transform(
            gaps,
            lambda gap: gap.withField(
                "proved_from", F.coalesce(gap["proved_from"], claim["proved_from"])
            ).withField("proved_until", F.coalesce(gap["proved_until"], claim["proved_until"])),
        )

    return F.flatten(F.transform("asked", of_claim))


def _alone() -> Column:
    """The ids of claims of which nothing is held: they were asked for, and nothing came."""

    def is_present(claim: Column) -> Column:
        return F.exists(
            "present",
            lambda span: (
                (span["first_id"] <= claim["last_id"]) & (span["last_id"] >= claim["first_id"])
            ),
        )

    return spans.joined_by_id(F.filter("asked", lambda claim: ~is_present(claim)))


def _is_off_book(left: Column, right: Column) -> Column:
    """Whether only trade numbers are missing: aggregates of futures lack no id off the book."""
    is_futures = (F.col("exchange") == "binance") & F.col("kind").isin(*OFF_BOOK_KINDS)
    of_trades = F.col("dataset") == "trades"
    return is_futures & (of_trades | (left["last_id"] + 1 == right["first_id"]))


def _explained() -> Column:
    """Each part of a hole with its cause: the exchange's word first, then our own quarantine."""
    withdrawn = _turned_away("invalidated_by_the_exchange")
    quarantined = _turned_away("quarantined")
    ours = spans.without(F.col("holes"), withdrawn)
    unexplained = spans.without(ours, quarantined)
    left_out = spans.without(unexplained, F.col("alone"))
    return F.concat(
        _caused(spans.within(F.col("holes"), withdrawn), "invalidated_by_the_exchange", "proved"),
        _caused(spans.within(ours, quarantined), "quarantined", "open"),
        _caused(spans.within(unexplained, F.col("alone")), "exchange_hole", "proved"),
        F.transform(left_out, _suspected),
    )


def _suspected(hole: Column) -> Column:
    """A hole between rows is the answer's fault, unless trade numbers say that nothing is lost."""
    is_explained = (hole["cause"] == "off_book") | F.coalesce(
        hole["first_trade_seq"] > hole["last_trade_seq"], F.lit(False)
    )
    suspected = hole.withField("cause", F.lit("left_out")).withField("state", F.lit("open"))
    return F.when(is_explained, hole).otherwise(suspected)


def _turned_away(cause: str) -> Column:
    return spans.joined_by_id(F.filter("turned_away", lambda span: span["cause"] == cause))


def _caused(holes: Column, cause: str, state: str) -> Column:
    return F.transform(
        holes,
        lambda hole: hole.withField("cause", F.lit(cause)).withField("state", F.lit(state)),
    )


def _jumps() -> Column:
    def is_asked(gap: Column) -> Column:
        return F.exists(
            "asked", lambda claim: gap["first_id"].between(claim["first_id"], claim["last_id"])
        )

    return F.filter("gaps", lambda gap: spans.is_empty(gap) & is_asked(gap))
