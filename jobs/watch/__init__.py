"""`candlelake watch`: streams and forming candles in a terminal, without Spark."""
