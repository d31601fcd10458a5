"""The same work done by DuckDB: bronze to typed trades in Parquet, to bars of six intervals."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

TRADES = """
COPY (
    WITH answers AS (
        SELECT exchange, kind, instrument, mode, region, end_download_timestamp,
               knowledge_timestamp, sequence,
               unnest(string_split(rtrim(body, chr(10)), chr(10))) AS line
        FROM read_json('{bronze}/**/*.ndjson.gz', format = 'newline_delimited', columns = {{
            exchange: 'VARCHAR', kind: 'VARCHAR', instrument: 'VARCHAR', mode: 'VARCHAR',
            region: 'VARCHAR', end_download_timestamp: 'TIMESTAMP',
            knowledge_timestamp: 'TIMESTAMP', sequence: 'BIGINT', body: 'VARCHAR'}})
    ), cells AS (SELECT * EXCLUDE line, string_split(line, ',') AS cell FROM answers)
    SELECT exchange, kind, instrument, cell[1]::BIGINT AS agg_id,
           cell[4]::BIGINT AS first_trade_seq,
           cell[5]::BIGINT AS last_trade_seq, cell[2]::DECIMAL(20, 10) AS price,
           cell[3]::DECIMAL(18, 8) AS quantity,
           (cell[2]::DECIMAL(18, 8))::DECIMAL(38, 8) * cell[3]::DECIMAL(18, 8) AS quote_quantity,
           CASE cell[7] WHEN 'True' THEN 'sell' ELSE 'buy' END AS taker_side,
           make_timestamp(cell[6]::BIGINT * 1000) AS trade_timestamp,
           cell[6]::BIGINT AS exchange_timestamp, end_download_timestamp, knowledge_timestamp,
           mode AS source, region, sequence AS bronze_line
    FROM cells
) TO '{out}/trades' (FORMAT parquet, COMPRESSION zstd, PER_THREAD_OUTPUT, OVERWRITE)
"""
BARS = """
COPY (
    WITH minutes AS (
        SELECT instrument, time_bucket(INTERVAL '1 minute', trade_timestamp) AS bar_start,
               arg_min(price, first_trade_seq) AS open, max(price) AS high, min(price) AS low,
               arg_max(price, first_trade_seq) AS close, sum(quantity) AS volume,
               sum(quote_quantity) AS quote_volume,
               sum(last_trade_seq - first_trade_seq + 1) AS trade_count,
               sum(quantity) FILTER (taker_side = 'buy') AS taker_buy_volume,
               sum(quote_quantity) FILTER (taker_side = 'buy') AS taker_buy_quote_volume
        FROM '{out}/trades/*.parquet' GROUP BY ALL
    ), lengths(bar_interval, length) AS (VALUES
        ('1m', INTERVAL '1 minute'), ('5m', INTERVAL '5 minutes'), ('15m', INTERVAL '15 minutes'),
        ('1h', INTERVAL '1 hour'), ('4h', INTERVAL '4 hours'), ('1d', INTERVAL '1 day'))
    SELECT instrument, bar_interval,
           time_bucket(length, bar_start, TIMESTAMP '1970-01-01') AS bar_start,
           arg_min(open, minutes.bar_start) AS open, max(high) AS high, min(low) AS low,
           arg_max(close, minutes.bar_start) AS close, sum(volume) AS volume,
           sum(quote_volume) AS quote_volume, sum(trade_count) AS trade_count,
           sum(taker_buy_volume) AS taker_buy_volume,
           sum(taker_buy_quote_volume) AS taker_buy_quote_volume
    FROM minutes, lengths GROUP BY ALL
) TO '{out}/ohlcv.parquet' (FORMAT parquet, COMPRESSION zstd)
"""


def run(bronze: Path, out: Path, threads: int) -> float:
    """Build trades and bars below `out`; return the seconds it took."""
    out.mkdir(parents=True, exist_ok=True)
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'")
    started = time.perf_counter()
    connection.execute(TRADES.format(bronze=bronze, out=out))
    connection.execute(BARS.format(out=out))
    return time.perf_counter() - started
