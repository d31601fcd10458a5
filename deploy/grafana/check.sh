#!/usr/bin/env bash
# Holds dashboards against Grafana's own schema, by the types of Grafana's Foundation SDK, which Go builds and checks.
#   deploy/grafana/check.sh install    build the checker into .tools
#   deploy/grafana/check.sh FILE...    check dashboards; what is wrong goes to standard error, and the exit code is 1
set -euo pipefail
folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$folder/../services/service.sh"
checker="$tools/grafana-check-$(cat "$folder"/check/* | sha256sum | cut -c1-12)"

build() { build_with_go "$checker" "$folder/check" "the checker of dashboards"; }

case "${1:-}" in
    "") sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    install) build ;;
    *) build; exec "$checker" "$@" ;;
esac
