"""The steps of the main job on a test's own lake, against the replay exchange over HTTP."""

from __future__ import annotations

import io

from jobs import pipeline
from jobs.context import Context, exchanges_of
from jobs.extraction.run import Extraction, prepare
from jobs.options import select
from jobs.reconciliation import candles


def extract(context: Context, **options: str) -> Extraction:
    selection = select(context.settings, **options)
    with exchanges_of(context.settings) as settings:
        return prepare(context, settings, selection).run()


def run(context: Context, **options: str) -> str:
    """Run every step; return the certificate as printed."""
    extraction = extract(context, **options)
    pipeline.refine(context)
    certificate = candles.certify(
        context, select(context.settings, **options), extraction.instruments
    )
    printed = io.StringIO()
    candles.print_certificate(certificate, printed)
    certificate.require()
    return printed.getvalue()
