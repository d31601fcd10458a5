#!/usr/bin/env bash
# What the functions of AWS Lambda run: of candlelake.zip what needs no Spark, and the pinned packages.
#   deploy/aws_lambda/package.sh FOLDER   fill FOLDER, as deploy/package.sh --functions does
# Some packages hold machine code: it is that of deploy/aws/histories.yaml, Python 3.11 on x86_64, whatever runs here;
# FUNCTIONS_PYTHON and FUNCTIONS_MACHINE name another.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
[ "$#" -eq 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ -e "$1" ] && fail "$1 is there already; name a new folder."
python="$venv/bin/python"
[ -x "$python" ] || python="$(find_python)"
machine="${FUNCTIONS_MACHINE:-x86_64}"
"$python" -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --target "$1" --only-binary=:all: \
    --implementation cp --python-version "${FUNCTIONS_PYTHON:-3.11}" --platform "manylinux_2_28_$machine" \
    --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" -r "$here/requirements/extract.txt" >&2 \
    || fail "the pinned packages could not be installed; see above."
packed="$(mktemp -d)"
trap 'rm -rf "$packed"' EXIT
PYTHONPATH="$here" "$python" "$here/deploy/package.py" "$packed" >/dev/null
"$python" -m zipfile -e "$packed/candlelake.zip" "$packed/code"
mv "$packed/code/lake" "$packed/code/extract" "$packed/code/conf" "$1"
mkdir -p "$1/deploy/aws_lambda"
cp "$here/deploy/aws_lambda/handlers.py" "$1/deploy/aws_lambda"
find "$1" -name __pycache__ -type d -prune -exec rm -r {} +
# scripts that name the Python of this machine
rm -rf "$1/bin"
