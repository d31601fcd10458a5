"""Kafka to bronze: brings what collectors sent to the topic into files, exactly once.

Run by `./spark-submit.sh land-topic`, once or with --continuous. Bronze stays silver's only input.
"""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from jobs.application import run_job
from jobs.context import open_context, open_lake
from jobs.continuous import stopped_by_signals
from jobs.options import Env, Sets
from jobs.streams import begin_anew
from jobs.topic_stream import Landed, bring, checkpoint_name
from lake.kafka import consumer_options
from lake.lease import held

Continuous = Annotated[
    bool, typer.Option("--continuous", help="Go on every kafka.interval_seconds, until told.")
]
FromStart = Annotated[
    bool,
    typer.Option(
        "--from-start",
        help="Forget how far it was and land all that the topic holds; after a loss of records.",
    ),
]


def land_topic(
    *,
    env: Env = "replay",
    continuous: Continuous = False,
    from_start: FromStart = False,
    sets: Sets = None,
) -> None:
    """Bring what collectors sent to the topic of Kafka to bronze, each record exactly once.

    Example: ./spark-submit.sh land-topic --set kafka.servers=127.0.0.1:9092
    """
    lake = open_lake(env, sets or ())
    consumer_options(lake.settings.kafka)
    lease = (checkpoint_name(lake.settings.kafka.topic),)
    landed = Landed()
    with (
        stopped_by_signals() as (stopping, signals),
        held(lake.store, lake.clock, lease, lake.settings.lake.lease_seconds),
        open_context("land-topic", lake, jars=("jars-kafka",)) as context,
    ):
        if from_start:
            begin_anew(context, checkpoint_name(lake.settings.kafka.topic))
        every = lake.settings.kafka.interval_seconds if continuous else None
        bring(context, landed, every_seconds=every, stopping=stopping)
    typer.echo(str(landed))
    if signal.SIGINT in signals:
        raise KeyboardInterrupt


if __name__ == "__main__":
    run_job(land_topic)
