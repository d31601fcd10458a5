"""Binance's bulk archive: verified zips land untouched, by day or month, their lines as parts."""
