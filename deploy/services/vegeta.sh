#!/usr/bin/env bash
# A load generator on this machine, for the benchmark of the API: requests come at a constant rate, however slow answers are.
#   deploy/services/vegeta.sh install   build the pinned program into .tools
#   deploy/services/vegeta.sh run ...   run it with these options
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
version=v12.13.0

install() { go_install vegeta github.com/tsenart/vegeta/v12 "$version"; }

run() {
    install
    exec "$tools/vegeta-$version" "$@"
}

case "${1:-} $#" in
    "install 1") install ;;
    "run "*) shift; run "$@" ;;
    *) sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
