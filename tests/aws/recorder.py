"""Runs a command of ours and writes down each call of AWS that it makes: service, action, target.

python -m tests.aws.recorder FILE candlelake extract live ...
python -m tests.aws.recorder FILE worker    a function's handler; its event on standard input
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from botocore.client import BaseClient
from botocore.exceptions import ClientError


def record(file: Path) -> None:
    """Let every client of boto3 write its calls into a file, one JSON line each."""
    client_of_all: Any = BaseClient
    call = client_of_all._make_api_call

    def recorded(client: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        named = {
            key: value
            for key, value in parameters.items()
            if key in ("Bucket", "Key", "Prefix", "QueueUrl", "SecretId")
        }
        line = {"service": client.meta.service_model.service_name, "operation": operation, **named}
        try:
            return call(client, operation, parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                line["Missing"] = "yes"
            raise
        finally:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")

    client_of_all._make_api_call = recorded


def main() -> int:
    """Run what the words name; return its exit code."""
    file, name, *words = sys.argv[1:]
    record(Path(file))
    if name == "candlelake":
        from jobs.cli import main as candlelake  # noqa: PLC0415 - functions have no command line

        sys.argv[:] = [name, *words]
        return candlelake()
    from deploy.aws_lambda import handlers  # noqa: PLC0415

    event = json.load(sys.stdin)
    sys.stdout.write(json.dumps(getattr(handlers, name)(event, None)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
