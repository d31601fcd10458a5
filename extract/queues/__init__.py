"""Homes of the worker beside the process's own pool: the same messages, taken from a queue."""
