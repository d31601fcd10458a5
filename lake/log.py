"""Logging: one line a step on standard error, so that standard output carries only answers."""

from __future__ import annotations

import logging
import sys
import time

FORMAT = "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s"


def configure_logging(*, verbose: bool = False) -> None:
    """Send our log lines to standard error, in UTC; `verbose` adds the debug level."""
    formatter = logging.Formatter(FORMAT, datefmt="%Y-%m-%dT%H:%M:%S")
    formatter.converter = _utc
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # a fault inside a stream is raised by the job; these would print it twice more
    for chatty in ("py4j", "DataFrameQueryContextLogger"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    for room in ("lake", "extract", "transform", "expectations", "jobs", "serve"):
        logging.getLogger(room).setLevel(logging.DEBUG if verbose else logging.INFO)


def _utc(seconds: float | None) -> time.struct_time:
    return time.gmtime(seconds)
