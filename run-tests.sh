#!/usr/bin/env bash
# ./run-tests.sh [--all] [pytest options]: makes the environment, then lint, types and the tests.
# Without --all the tests against a real S3 server are left out: they build it with Go first.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/deploy/front-door.sh"
cd "$here"
check_java
make_environment dev
fetch_jars jars
export PATH="$venv/bin:$PATH" PYTHONPATH="$here" TZ=UTC SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON="$venv/bin/python"
ruff format --check --quiet .
ruff check --quiet .
mypy
if [ "${1:-}" = "--all" ]; then
    shift
else
    set -- --ignore=tests/s3 "$@"
fi
exec python -m pytest "$@"
