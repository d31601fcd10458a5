"""The first tables.

Revision ID: 0001
Revises: nothing
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

EXACT: sa.types.TypeEngine[str] = sa.Text().with_variant(sa.Numeric(), "postgresql")
KINDS: Mapping[str, sa.types.TypeEngine[Any]] = {
    "bigint": sa.BigInteger(),
    "integer": sa.Integer(),
    "serial": sa.Integer(),
    "smallint": sa.SmallInteger(),
    "text": sa.Text(),
    "exact": EXACT,
    "boolean": sa.Boolean(),
    "bytes": sa.LargeBinary(),
}
#: Each table's key, and its columns with their kinds; a question mark allows null.
TABLES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bar_blocks": (
        ("series_id", "bar_minutes", "block"),
        (
            "block bigint, series_id integer, text_bytes integer, bar_minutes smallint, "
            "bars smallint, content bytes"
        ),
    ),
    "bar_days": (
        ("series_id", "bar_minutes", "day"),
        "day bigint, series_id integer, bar_minutes smallint, bars integer, complete_bars integer",
    ),
    "bars": (
        ("series_id", "bar_minutes", "bar_start"),
        (
            "bar_start bigint, trade_count bigint, first_trade_seq bigint, "
            "last_trade_seq bigint, knowledge_us bigint, series_id integer, "
            "revision integer, bar_minutes smallint, is_complete boolean, "
            "built_from text, open exact?, high exact?, low exact?, close exact?, "
            "volume exact, base_volume exact, quote_volume exact, "
            "taker_buy_volume exact, taker_buy_base_volume exact, "
            "taker_buy_quote_volume exact"
        ),
    ),
    "certificates": (
        (),
        (
            "run_id text, exchange text, kind text, instrument text, check_name text, "
            "dataset text?, left_side text?, right_side text?, left_hash text?, "
            "right_hash text?, bar_interval text, window_start bigint, "
            "window_end bigint, checked_at bigint, compared bigint, equal bigint, "
            "equal_after_rounding bigint, not_derivable bigint, different bigint, "
            "only_left bigint, only_right bigint, unexplained bigint, left_rows bigint?, "
            "right_rows bigint?, matched bigint?, undetermined bigint?, causes text"
        ),
    ),
    "gate_results": (
        ("run_id", "table_name", "expectation"),
        (
            "run_id text, table_name text, expectation text, severity text, "
            "attempts bigint, met bigint, rows bigint, rejected_rows bigint, "
            "checked_at bigint"
        ),
    ),
    "index_prices": (
        ("series_id", "minute"),
        (
            "minute bigint, price_time_us bigint, series_id integer, price exact, "
            "timestamp_source text, price_source text"
        ),
    ),
    "listings": (
        ("exchange", "kind", "instrument_uid", "valid_from"),
        (
            "exchange text, kind text, instrument text, instrument_uid text, "
            "valid_from bigint, valid_to bigint?, expiry bigint?, listed_at bigint?, "
            "delisted_at bigint?, status text, direction text, base_unit text?, "
            "quote_unit text?, settlement_unit text?, quantity_unit text?, "
            "contract_size exact?, tick_size exact?, lot_size exact?, strike exact?, "
            "option_type text?"
        ),
    ),
    "marks": (
        ("exchange", "kind", "instrument", "table_name"),
        (
            "exchange text, kind text, instrument text, table_name text, "
            "complete_until bigint, updated_at bigint"
        ),
    ),
    "positions": (
        ("series_id", "bar_minutes"),
        "series_id integer, bar_minutes smallint, version bigint, bars_until bigint, runs_of text",
    ),
    "publications": (
        ("number",),
        (
            "number serial, published_at bigint, run_id text, bars bigint, "
            "index_prices bigint, trades bigint"
        ),
    ),
    "runs": (
        ("series_id", "bar_minutes", "from_time"),
        (
            "from_time bigint, until_time bigint, series_id integer, bar_minutes smallint, "
            "state text, built_from text"
        ),
    ),
    "series": (
        ("series_id",),
        (
            "series_id serial, series_type text, exchange text, kind text, "
            "instrument text, instrument_uid text, quantity_unit text?, base_unit text?, "
            "quote_unit text?, contract_size exact?, first_time bigint?, "
            "last_time bigint?, complete_until bigint?"
        ),
    ),
    "sources": (("number", "table_name"), "number integer, table_name text, version bigint"),
    "stretches": (
        ("exchange", "kind", "instrument_uid", "dataset", "entry", "first_id", "proved_from"),
        (
            "exchange text, kind text, instrument text, instrument_uid text, "
            "dataset text, entry text, first_id bigint, last_id bigint, "
            "proved_from bigint, proved_until bigint, cause text?, state text"
        ),
    ),
    "superseded_bars": (
        ("series_id", "bar_minutes", "bar_start", "revision"),
        (
            "bar_start bigint, trade_count bigint, first_trade_seq bigint, "
            "last_trade_seq bigint, knowledge_us bigint, series_id integer, "
            "revision integer, bar_minutes smallint, is_complete boolean, "
            "built_from text, open exact?, high exact?, low exact?, close exact?, "
            "volume exact, base_volume exact, quote_volume exact, "
            "taker_buy_volume exact, taker_buy_base_volume exact, "
            "taker_buy_quote_volume exact"
        ),
    ),
    "trade_days": (
        ("series_id", "day"),
        "day bigint, version bigint, trades bigint, series_id integer, table_name text",
    ),
    "trades": (
        ("series_id", "trade_seq"),
        (
            "trade_seq bigint, trade_time_us bigint, series_id integer, trade_id text, "
            "price exact, quantity exact, quote_quantity exact, taker_side text, "
            "print_kind text"
        ),
    ),
}
UNIQUE = {"series": ("series_type", "exchange", "kind", "instrument_uid")}
INDEXES = {
    "certificates_of_listing": ("certificates", ("exchange", "kind", "instrument")),
    "trades_by_time": ("trades", ("series_id", "trade_time_us")),
}


def upgrade() -> None:
    """Make the tables."""
    for name, (key, columns) in TABLES.items():
        constraints: list[sa.Constraint] = []
        if key:
            constraints.append(sa.PrimaryKeyConstraint(*key, name=f"{name}_key"))
        if name in UNIQUE:
            constraints.append(sa.UniqueConstraint(*UNIQUE[name], name=f"{name}_identity"))
        op.create_table(name, *map(_column, columns.split(", ")), *constraints)
    for name, (table, indexed) in INDEXES.items():
        op.create_index(name, table, list(indexed))
    if op.get_bind().dialect.name == "postgresql":
        # a block of a few KB stays in its row: one page read, not three; it is packed already
        op.execute("ALTER TABLE bar_blocks SET (toast_tuple_target = 8160)")
        op.execute("ALTER TABLE bar_blocks ALTER COLUMN content SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Drop the tables: everything in them can be published again."""
    for name in TABLES:
        op.drop_table(name)


def _column(words: str) -> sa.Column[Any]:
    name, _, kind = words.partition(" ")
    made_here = (sa.Identity(),) if kind == "serial" else ()
    nullable = kind.endswith("?")
    return sa.Column(
        name, KINDS[kind.rstrip("?")], *made_here, autoincrement=bool(made_here), nullable=nullable
    )
