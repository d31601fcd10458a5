"""Gold and silver as files that other programs open: CSV, JSON, Parquet, Feather, without Spark."""
