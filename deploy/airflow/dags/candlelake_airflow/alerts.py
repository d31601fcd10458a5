"""Tells of a task that has failed for good: in its log, and to a webhook where one is set.

The webhook's address is the Airflow Variable `candlelake_webhook_secret`: by its name Airflow hides
it in logs and pages. It gets JSON; `text` is what Slack, Mattermost and their kin show.
"""

# mypy: disable-error-code="import-not-found"

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from airflow.sdk import Variable

log = logging.getLogger(__name__)

WEBHOOK = "candlelake_webhook_secret"
TIMEOUT_SECONDS = 10


def alert(context: Mapping[str, Any]) -> None:
    """Tell of the failed task of this context; nothing that goes wrong here fails anything."""
    told = told_of(context)
    log.error("%s", told["text"])
    url = Variable.get(WEBHOOK, default="")
    if url:
        _post(url, told)


def told_of(context: Mapping[str, Any]) -> dict[str, str]:
    """Return what is told of a failed task."""
    task = context["ti"]
    reason = str(context.get("exception") or "no reason was given")
    where = f"{task.dag_id}.{task.task_id} of {task.run_id}"
    return {
        "text": f"candlelake: {where} has failed: {reason}",
        "dag": task.dag_id,
        "task": task.task_id,
        "run": task.run_id,
        "reason": reason,
        "log": str(getattr(task, "log_url", "")),
    }


def _post(url: str, told: Mapping[str, str]) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        log.warning("not told: the Variable %s is no http address", WEBHOOK)
        return
    body = json.dumps(told).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - as above
    try:
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - as above
            log.info("told the webhook: HTTP %d", answer.status)
    except (URLError, OSError, ValueError) as error:
        # an error's text may hold the address, which is a secret
        log.warning("the webhook could not be told: %s", type(error).__name__)
