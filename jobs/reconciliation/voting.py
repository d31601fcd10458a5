"""The vote of REST, daily archive and monthly archive on the exchange's own bars."""

from __future__ import annotations

from jobs.context import Context
from jobs.options import Segment
from jobs.reconciliation.checks import SHOWN, Outcome, Window, ordered
from jobs.reconciliation.kept import keeping
from jobs.reconciliation.ledger import About, append
from jobs.reconciliation.sides import Part, Side, held, read
from jobs.silver import FACTS
from transform.reconciliation.votes import vote

CHECK = "votes"


def voted(context: Context, segment: Segment, window: Window) -> Outcome | None:
    """Let the publications that bronze holds vote; None where it holds none of the archive's."""
    part = Part(FACTS["klines"], segment, window)
    stores = (context.store,)
    sides = [Side("rest", stores)]
    sides += [Side("archive", stores, period=period) for period in ("daily", "monthly")]
    if not any(held(sides[1], part).values()):
        return None
    about = About(CHECK, "klines", "the most", "each publication", window)
    with keeping() as keep:
        voters = {side.name: read(context, side, "right", part).valid for side in sides}
        made = vote(voters, window, keep=keep)
        differences = keep(made.differences)
        rows = append(context, about, made.totals, differences)
        return Outcome(about, rows, ordered(differences).limit(SHOWN).collect())
