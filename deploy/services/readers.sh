#!/usr/bin/env bash
# The programs that read exported files, nautilus_trader and freqtrade, for tests.
#   deploy/services/readers.sh install    install the pinned packages into .tools
#   deploy/services/readers.sh run ...    run their Python with these arguments
# They lie apart from ours, for they pin other versions, and nothing of ours needs them.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
wanted="$(sha256sum < "$here/deploy/services/readers.txt" | cut -c 1-12)"
home="$tools/readers-$wanted"

install() {
    [ -f "$home/.complete" ] && return
    local python
    python="$(find_python)" || exit 2
    mkdir -p "$tools"
    exec 9>"$tools/.lock"
    flock 9
    if [ ! -f "$home/.complete" ]; then
        say "installing nautilus_trader and freqtrade (first run, a minute or two)"
        "$python" -m venv --clear "$home" || fail "could not make a virtual environment; is Python's venv module installed?"
        "$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/deploy/services/readers.txt" >&2 \
            || fail "the pinned packages could not be installed; see above."
        touch "$home/.complete"
    fi
    exec 9>&-
}

case "${1:-} $#" in
    "install 1") install ;;
    "run "*) shift; install; exec "$home/bin/python" "$@" ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
