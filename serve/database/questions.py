"""What the repository asks, in words that PostgreSQL and SQLite both know."""

from __future__ import annotations

from collections.abc import Sequence

from serve.database.schema import PRICES
from serve.records import Certificate, Listing, Stretch

#: Times that stand for an open end.
ALWAYS = 1 << 62

PUBLICATION = "SELECT number, published_at FROM publications ORDER BY number DESC LIMIT 1"
SERIES = (
    "SELECT series_id, series_type, exchange, kind, instrument, instrument_uid, quantity_unit,"
    " base_unit, quote_unit, CAST(contract_size AS text), first_time, last_time, complete_until,"
    " known_until FROM series ORDER BY exchange, kind, instrument, instrument_uid, series_type"
)


def _text(names: Sequence[str], table: str = "") -> str:
    dot = f"{table}." if table else ""
    return ", ".join(f"CAST({dot}{name} AS text)" for name in names)


#: The fields of a `Bar`: its length is $3.
_BAR = (
    "{t}.bar_start, {t}.bar_start + CAST($3 AS bigint), "
    + _text((*PRICES, "volume", "base_volume", "quote_volume"), "{t}")
    + ", {t}.trade_count, "
    + _text(("taker_buy_volume", "taker_buy_base_volume", "taker_buy_quote_volume"), "{t}")
    + ", {t}.first_trade_seq, {t}.last_trade_seq, {t}.built_from, {t}.is_complete, false,"
    " {t}.knowledge_us, {t}.revision"
)
_OF = "{t}.series_id = $1 AND {t}.bar_minutes = $2"
_BETWEEN = _OF + " AND {t}.bar_start >= $4 AND {t}.bar_start < $5"
_KNOWN = (
    " AND {t}.knowledge_us <= CAST($7 AS bigint)"
    " AND ({t}.bar_start + CAST($3 AS bigint)) * 1000 <= CAST($7 AS bigint)"
)


def _bars(order: str) -> str:
    return (
        f"SELECT {_BAR} FROM bars AS {{t}} WHERE {_BETWEEN}"  # noqa: S608 - our own words
        f" ORDER BY {{t}}.bar_start {order} LIMIT $6"
    ).format(t="b")


def _bars_as_of(order: str) -> str:
    same = " AND n.series_id = s.series_id AND n.bar_minutes = s.bar_minutes"
    later = f"{same} AND n.bar_start = s.bar_start AND n.revision > s.revision"
    known = _KNOWN.format(t="n")
    return (
        f"SELECT {_BAR.format(t='b')} FROM bars AS b"  # noqa: S608 - our own words
        f" WHERE {(_BETWEEN + _KNOWN).format(t='b')}"
        f" UNION ALL SELECT {_BAR.format(t='s')} FROM superseded_bars AS s"
        f" WHERE {(_BETWEEN + _KNOWN).format(t='s')}"
        f" AND NOT EXISTS (SELECT 1 FROM bars AS n WHERE true{later}{known})"
        f" AND NOT EXISTS (SELECT 1 FROM superseded_bars AS n WHERE true{later}{known})"
        f" ORDER BY 1 {order} LIMIT $6"
    )


def _blocks(order: str) -> str:
    return (
        "SELECT block, bars, text_bytes, content FROM bar_blocks"  # noqa: S608 - our own words
        " WHERE series_id = $1 AND bar_minutes = $2 AND block >= $3 AND block <= $4"
        f" ORDER BY block {order} LIMIT $5"
    )


def _index_prices(order: str) -> str:
    return (
        "SELECT minute, CAST(price AS text), price_time_us, timestamp_source,"  # noqa: S608
        " price_source FROM index_prices WHERE series_id = $1 AND minute >= $2 AND minute < $3"
        f" ORDER BY minute {order} LIMIT $4"
    )


def _trades(order: str) -> str:
    return (
        "SELECT trade_seq, trade_id, trade_time_us,"  # noqa: S608 - our own words
        f" {_text(('price', 'quantity', 'quote_quantity'))}, taker_side, print_kind FROM trades"
        " WHERE series_id = $1 AND trade_time_us >= $2 AND trade_time_us < $3 AND trade_seq > $4"
        f" ORDER BY trade_seq {order} LIMIT $5"
    )


#: By whether the newest come first.
BARS = {False: _bars("ASC"), True: _bars("DESC")}
BARS_AS_OF = {False: _bars_as_of("ASC"), True: _bars_as_of("DESC")}
BLOCKS = {False: _blocks("ASC"), True: _blocks("DESC")}
INDEX_PRICES = {False: _index_prices("ASC"), True: _index_prices("DESC")}
TRADES = {False: _trades("ASC"), True: _trades("DESC")}
CLOSE_BEFORE = (
    f"SELECT {_BAR} FROM bars AS {{t}} WHERE {_OF}"  # noqa: S608 - our own words
    " AND {t}.bar_start < $4 AND {t}.close IS NOT NULL ORDER BY {t}.bar_start DESC LIMIT 1"
).format(t="b")
RUNS = (
    "SELECT from_time, until_time, state, built_from FROM runs WHERE series_id = $1"
    " AND bar_minutes = $2 AND until_time > $3 AND from_time < $4 ORDER BY from_time"
)
BARS_A_DAY = (
    "SELECT day, complete_bars FROM bar_days WHERE series_id = $1 AND bar_minutes = $2 ORDER BY day"
)
_EXACT = ("contract_size", "tick_size", "lot_size", "strike")
LISTINGS = (
    "SELECT "  # noqa: S608 - our own words
    + ", ".join(f"CAST({name} AS text)" if name in _EXACT else name for name in Listing._fields)
    + " FROM listings WHERE (CAST($1 AS text) IS NULL OR exchange = $1)"
    " AND (CAST($2 AS text) IS NULL OR kind = $2) ORDER BY exchange, kind, instrument, valid_from"
)
STRETCHES = (
    f"SELECT {', '.join(Stretch._fields)} FROM stretches"  # noqa: S608 - our own words
    " WHERE exchange = $1 AND kind = $2 AND instrument_uid = $3 ORDER BY dataset, first_id, entry"
)
CERTIFICATES = (
    f"SELECT {', '.join(Certificate._fields)} FROM certificates"  # noqa: S608 - our own words
    " WHERE exchange = $1 AND kind = $2 AND instrument = $3 AND window_end > $4"
    " AND window_start < $5 ORDER BY checked_at DESC, check_name, dataset, bar_interval LIMIT $6"
)
