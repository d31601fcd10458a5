"""Secrets that a setting names and AWS Secrets Manager holds: `aws-secret:NAME#FIELD`."""

from __future__ import annotations

import json
from functools import cache

from lake.errors import SettingsError

#: Before the name or the ARN of a secret; `#FIELD` behind it takes one field of a JSON object.
PREFIX = "aws-secret:"
HINTS = {
    "AccessDeniedException": "The role or user needs secretsmanager:GetSecretValue on it.",
    "ResourceNotFoundException": "Correct the name, or the region with AWS_REGION.",
    "UnrecognizedClientException": "Correct the AWS credentials, or the role in use.",
}
CREDENTIALS = (
    "Give the process a role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; and AWS_REGION."
)


def named_secret(text: str, setting: str) -> str:
    """Return the secret that a setting's value names; any other value as it is.

    Args:
        text: the value, such as `aws-secret:candlelake/database#password`.
        setting: its setting, for messages.

    Raises:
        SettingsError: it names a secret that can't be read. No message holds a secret.
    """
    if not text.startswith(PREFIX):
        return text
    name, _, field = text.removeprefix(PREFIX).partition("#")
    return _field(_read(name, setting), field, name, setting) if field else _read(name, setting)


@cache
def _read(name: str, setting: str) -> str:
    """Ask once in a process: functions that stay warm would else pay for each call."""
    # boto3 only where a secret is named
    import boto3  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from lake.s3 import region  # noqa: PLC0415

    try:
        client = boto3.Session().client("secretsmanager", region_name=region())
        answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise _unread(name, setting, code, HINTS.get(code)) from error
    except (BotoCoreError, ValueError) as error:
        raise _unread(name, setting, type(error).__name__, CREDENTIALS) from error
    if "SecretString" not in answer:
        raise _unread(name, setting, "it is binary", "Keep it as text, or as a JSON object.")
    return str(answer["SecretString"])


def _field(text: str, field: str, name: str, setting: str) -> str:
    try:
        value = json.loads(text)[field]
    except (ValueError, KeyError, TypeError):
        # the parser's own words may hold the secret
        hint = "Without #FIELD the whole text is taken."
        raise _unread(name, setting, f"it has no field '{field}'", hint) from None
    if not isinstance(value, str):
        raise _unread(name, setting, f"its field '{field}' is no text", None)
    return value


def _unread(name: str, setting: str, why: str, hint: str | None) -> SettingsError:
    return SettingsError(f"the secret '{name}' can't be read: {why}", where=setting, hint=hint)
