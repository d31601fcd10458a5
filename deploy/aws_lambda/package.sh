#!/usr/bin/env bash
# What the functions of AWS Lambda run: of candlelake.zip what needs no Spark, and the pinned packages.
#   deploy/aws_lambda/package.sh FOLDER   fill FOLDER, as deploy/package.sh --functions does
# Run it on Linux with the Python version and processor of deploy/aws/histories.yaml: some packages hold machine code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
[ "$#" -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -e "$1" ] && fail "$1 is there already; name a new folder."
python="$venv/bin/python"
[ -x "$python" ] || python="$(find_python)"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$1" -r "$here/requirements/extract.txt" >&2 \
    || fail "the pinned packages could not be installed; see above."
packed="$(mktemp -d)"
trap 'rm -rf "$packed"' EXIT
PYTHONPATH="$here" "$python" "$here/deploy/package.py" "$packed" >/dev/null
"$python" -m zipfile -e "$packed/candlelake.zip" "$packed/code"
mv "$packed/code/lake" "$packed/code/extract" "$packed/code/conf" "$1"
mkdir -p "$1/deploy/aws_lambda"
cp "$here/deploy/aws_lambda/handlers.py" "$1/deploy/aws_lambda"
find "$1" -name __pycache__ -type d -prune -exec rm -r {} +
