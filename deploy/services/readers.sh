#!/usr/bin/env bash
# The programs that read exported files, nautilus_trader and freqtrade, for tests.
#   deploy/services/readers.sh install    install the pinned packages into .tools
#   deploy/services/readers.sh run ...    run their Python with these arguments
# They lie apart from ours, for they pin other versions, and nothing of ours needs them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
wanted="$(sha256sum < "$here/deploy/services/readers.txt" | cut -c 1-12)"
home="$tools/readers-$wanted"

install() { install_apart "$home" "$here/deploy/services/readers.txt" "nautilus_trader and freqtrade"; }

case "${1:-} $#" in
    "install 1") install ;;
    "run "*) shift; install; exec "$home/bin/python" "$@" ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
