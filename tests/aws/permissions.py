"""What a role's policies say of a call that was made: the part of IAM that our templates use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.aws.templates import ACCOUNT, REGION, listed

#: Calls whose action has another name: what IAM asks for.
ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
}
Call = Mapping[str, str]


def calls_in(file: Path) -> list[dict[str, str]]:
    """Return the calls that a recorder wrote down, each once."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in dict.fromkeys(lines)]


def action_of(call: Call) -> str:
    """Return the action that IAM checks for a call."""
    named = f"{call['service']}:{call['operation']}"
    return ACTIONS.get(named, named)


def resource_of(call: Call) -> str:
    """Return the ARN that a call is about."""
    if call["service"] == "s3":
        key = f"/{call['Key']}" if "Key" in call else ""
        return f"arn:aws:s3:::{call['Bucket']}{key}"
    if call["service"] == "secretsmanager":
        return call["SecretId"]
    name = urlsplit(call["QueueUrl"]).path.rpartition("/")[2]
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def allows(statements: Iterable[Mapping[str, Any]], call: Call) -> bool:
    """Tell whether one of the statements allows a call, its conditions included."""
    return any(
        action_of(call) in listed(one["Action"])
        and any(fnmatchcase(resource_of(call), known) for known in listed(one["Resource"]))
        and _holds(one.get("Condition", {}), call)
        for one in statements
    )


def refused(statements: Sequence[Mapping[str, Any]], calls: Iterable[Call]) -> list[Call]:
    """Return the calls that no statement allows.

    Of an object that is not there S3 says so only to who may list the bucket whatever the prefix:
    a reading names none. To others it says that the object is forbidden.
    """
    return [
        one
        for one in calls
        if not allows(statements, one) or ("Missing" in one and not allows(statements, _list(one)))
    ]


def unasked(statements: Sequence[Mapping[str, Any]], calls: Iterable[Call]) -> set[str]:
    """Return the actions that are allowed and that none of the calls is."""
    rights = {action for one in statements for action in listed(one["Action"])}
    return rights - {action_of(one) for one in calls}


def _list(call: Call) -> Call:
    return {"service": "s3", "operation": "ListObjectsV2", "Bucket": call["Bucket"]}


def _holds(condition: Mapping[str, Any], call: Call) -> bool:
    if not condition:
        return True
    assert list(condition) == ["StringLike"], condition
    assert list(condition["StringLike"]) == ["s3:prefix"], condition
    wanted = listed(condition["StringLike"]["s3:prefix"])
    return any(fnmatchcase(call.get("Prefix", ""), one) for one in wanted)
