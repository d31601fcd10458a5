#!/usr/bin/env bash
# What the functions of AWS Lambda run: our code, conf/ and the pinned packages, without Spark.
#   deploy/aws_lambda/package.sh FOLDER   fill FOLDER, which template.yaml takes from build/aws_lambda
# Run it on Linux with the Python version and processor of template.yaml: some packages hold machine code.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
[ "$#" -eq 1 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -e "$1" ] && fail "$1 is there already; name a new folder."
python="$venv/bin/python"
[ -x "$python" ] || python="$(find_python)"
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes --target "$1" -r "$here/requirements/extract.txt" >&2 \
    || fail "the pinned packages could not be installed; see above."
mkdir -p "$1/deploy/aws_lambda"
cp -R "$here/lake" "$here/extract" "$here/conf" "$1"
cp "$here/deploy/aws_lambda/handlers.py" "$1/deploy/aws_lambda"
find "$1" -name __pycache__ -type d -prune -exec rm -r {} +
