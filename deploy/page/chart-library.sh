#!/usr/bin/env bash
# The page's chart library, byte for byte as its makers publish it on npm; the page itself needs no npm and no build.
#   deploy/page/chart-library.sh check   hold what is committed against the SHA-256 of SOURCE.toml
#   deploy/page/chart-library.sh fetch   fetch the version of SOURCE.toml anew with npm, check it, and put it in place
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
folder="$here/serve/page/static/vendor"

# pins: a line a file, `sha256 name place-in-the-package`; the first line is `package@version`.
pins() {
    "$(find_python)" - "$folder/SOURCE.toml" <<'PYTHON'
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    source = tomllib.load(file)
print(f"{source['package']}@{source['version']}")
for name, pin in source["files"].items():
    print(pin["sha256"], name, pin["from"])
PYTHON
}

# hold FOLDER COLUMN: whether each file, named in that column of the pins, has its hash.
hold() {
    pins | tail -n +2 | awk -v column="$2" '{ print $1 "  " $column }' | (cd "$1" && sha256sum --check --quiet --strict -) ||
        fail "the chart library in $1 is not what SOURCE.toml pins; see above."
}

fetch() {
    local package
    command -v npm >/dev/null || fail "npm is needed to fetch the chart library and was not found. Install Node.js, or keep what is committed."
    scratch="$(mktemp -d)"
    trap 'rm -rf "$scratch"' EXIT
    package="$(pins | head -n 1)"
    say "fetching $package with npm"
    (cd "$scratch" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz) || fail "$package could not be fetched; see above."
    hold "$scratch/package" 3
    pins | tail -n +2 | while read -r _ name place; do
        cp "$scratch/package/$place" "$folder/$name"
    done
}

case "${1:-} $#" in
    "check 1") hold "$folder" 2 ;;
    "fetch 1") fetch; hold "$folder" 2 ;;
    *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
