#!/usr/bin/env bash
# Holds dashboards against Grafana's own schema, by the types of Grafana's Foundation SDK, which Go builds and checks.
#   deploy/grafana/check.sh install    build the checker into .tools
#   deploy/grafana/check.sh FILE...    check dashboards; what is wrong goes to standard error, and the exit code is 1
set -euo pipefail
folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$folder/../services/service.sh"
checker="$tools/grafana-check-$(cat "$folder"/check/* | sha256sum | cut -c1-12)"

build() {
    local scratch="$here/.cache/grafana-check" status=0
    [ -x "$checker" ] && return
    command -v go >/dev/null 2>&1 || fail "Go is needed to build the checker of dashboards and was not found. Install it from https://go.dev/dl, or put it on PATH."
    mkdir -p "$tools" "$scratch"
    say "building the checker of dashboards with $(go env GOVERSION) (first run, half a minute)"
    GOPATH="$scratch/path" GOCACHE="$scratch/cache" GOFLAGS="-trimpath -mod=readonly" go build -C "$folder/check" -o "$scratch/built" . >&2 || status=1
    [ "$status" -eq 0 ] && mv "$scratch/built" "$checker"
    chmod -R +w "$scratch"
    rm -rf "$scratch"
    [ "$status" -eq 0 ] || fail "the checker of dashboards could not be built; see above."
}

case "${1:-}" in
    "") sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    install) build ;;
    *) build; exec "$checker" "$@" ;;
esac
