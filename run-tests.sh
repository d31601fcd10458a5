#!/usr/bin/env bash
# ./run-tests.sh [--all] [pytest options]: makes the environment, then lint, types and the tests.
# Without --all the rooms and files below are left out: they take longest, and need to be proved on a clean machine.
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
    longest=(tests/s3 tests/jobs)
    for name in binance_agg_trades binance_klines binance_trades continuity deribit_klines deribit_trades envelopes exact_json instruments recorded_day reference_bodies rows; do
        longest+=("tests/transform/test_$name.py")
    done
    set -- "${longest[@]/#/--ignore=}" "$@"
fi
exec python -m pytest "$@"
