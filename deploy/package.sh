#!/usr/bin/env bash
# The one artefact of a managed Spark, in build/package/: candlelake.zip for --py-files, run_job.py, requirements.txt, jars.txt, VERSION.
#   deploy/package.sh                 these
#   deploy/package.sh --functions     and functions.zip, the code of AWS Lambda
#   deploy/package.sh --environment   and for EMR Serverless and Glue environment.tar.gz, a packed environment, the jars they lack, and our log store (wants a JDK)
#   deploy/package.sh --all           all of it
# The environment is built on Amazon Linux 2023 and x86_64 with the Spark's Python: PYTHON=python3.13 for Glue 6.0.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/front-door.sh"
target="$here/build/package"

functions() {
    local folder="$here/build/functions"
    rm -rf "$folder" "$target/functions.zip"
    "$here/deploy/aws_lambda/package.sh" "$folder"
    PYTHONPATH="$here" "$python" "$here/deploy/package.py" --zip "$folder" "$target/functions.zip"
}

environment() {
    local folder="$here/build/environment"
    check_java
    make_environment "${CANDLELAKE_REQUIREMENTS:-runtime}"
    fetch_jars jars-s3
    fetch_jars jars-emr
    "$here/deploy/log-store.sh"
    PYTHONPATH="$here" "$venv/bin/python" "$here/deploy/package.py" --jars "$target"
    rm -rf "$folder" "$target/environment.tar.gz"
    # its link to Python leads to where Amazon Linux 2023 has it, and so EMR and Glue
    "$(find_python)" -m venv "$folder" || fail "could not make a virtual environment; is Python's venv module installed?"
    # without pyspark the list is not whole, and is not meant to be
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$target/requirements.txt" >&2 \
        || fail "the pinned packages could not be installed; see above."
    "$here/deploy/services/moto.sh" run venv-pack --quiet --prefix "$folder" --output "$target/environment.tar.gz" >&2
}

asked="${1:-}"
case "$asked" in ""|--functions|--environment|--all) ;; *) sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;; esac
python="$venv/bin/python"
[ -x "$python" ] || python="$(find_python)"
PYTHONPATH="$here" "$python" "$here/deploy/package.py" "$target"
case "$asked" in --functions|--all) functions ;; esac
case "$asked" in --environment|--all) environment ;; esac
