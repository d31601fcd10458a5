"""Every job run, kept in `ops.runs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jobs.context import Context
from lake.beside import version
from lake.errors import CandlelakeError
from lake.frames import local_frame
from lake.tables import OPS_RUNS


@contextmanager
def recorded(context: Context, job: str) -> Iterator[dict[str, int]]:
    """Record a run: its counts, exit code and code's version, and where it failed its message."""
    started, counts = context.clock.now(), dict[str, int]()
    code, message = 1, None
    try:
        yield counts
        code = 0
    except CandlelakeError as error:
        code, message = error.exit_code, str(error)
        raise
    finally:
        row = (
            context.run_id,
            job,
            context.settings.env,
            started,
            context.clock.now(),
            code,
            counts,
            message,
            version(),
        )
        frame = local_frame(context.spark, [row], OPS_RUNS.schema)
        context.tables.append(frame, OPS_RUNS)
