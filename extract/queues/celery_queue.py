"""Celery's queue on a Redis, for who sends messages and for the workers that take them."""

from __future__ import annotations

from celery import Celery

from extract.history.message import Message

QUEUE = "candlelake"
NAME = "candlelake.land_chunk"


def application(redis_url: str, visibility_seconds: int) -> Celery:
    """Return the Celery application whose broker is a Redis, without any result of tasks."""
    made = Celery(QUEUE, broker=redis_url)
    made.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"visibility_timeout": visibility_seconds},
    )
    return made


def send(to: Celery, message: Message) -> None:
    """Put a message into the queue."""
    to.send_task(NAME, args=[message.to_json()])
