"""Where certificates stop a run: a difference that nothing explains, or too many open questions."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Row

from jobs.context import Context
from lake.errors import GateError
from lake.tables import OPS_RECONCILIATION


def require(context: Context, rows: Sequence[Row]) -> None:
    """Return where all is explained.

    What only the exchange could tell is no fault of ours while it is rare: a setting says how
    much of it is.

    Raises:
        GateError: differences without a cause, or more undetermined ones than are bearable.
    """
    unexplained = sum(row["unexplained"] for row in rows)
    if unexplained:
        raise GateError(
            f"{unexplained} differences are unexplained",
            where=OPS_RECONCILIATION.name,
            hint="ops.reconciliation_differences has each with its place in bronze;"
            " `candlelake repair --from-reconciliation` asks for what is missing by its id.",
        )
    limits = context.settings.reconcile
    undetermined = sum(row["undetermined"] or 0 for row in rows)
    bearable = max(
        limits.undetermined_rows,
        limits.undetermined_share * sum(row["left_rows"] or 0 for row in rows),
    )
    if undetermined > bearable:
        raise GateError(
            f"in {undetermined} places the exchange said two things: too many to be its own slips",
            where=OPS_RECONCILIATION.name,
            hint="Compare some rows of ops.reconciliation_differences with bronze by hand;"
            " reconcile.undetermined_rows and undetermined_share say how many are bearable.",
        )
