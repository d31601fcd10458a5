#!/usr/bin/env bash
# A real browser on this machine, for the tests of pages.
#   deploy/services/chromium.sh install   fetch Debian's chromium, and the libraries that the machine lacks, into .tools
#   deploy/services/chromium.sh run ...   run it without a window, with these options and an address
# On Debian and its kin, without root; elsewhere `run` takes a chromium, chromium-browser or google-chrome on the PATH.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
folder="$tools/chromium"

installed() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

install() {
    [ -x "$folder/usr/lib/chromium/chromium" ] || installed >/dev/null && return
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "no Chromium was found and there is no apt-get to fetch one. Put chromium on the PATH."
    mkdir -p "$tools" "$here/.cache"
    exec 9>"$tools/.lock"
    flock 9
    if [ ! -x "$folder/usr/lib/chromium/chromium" ]; then
        say "fetching Chromium and its libraries from this machine's Debian mirror (first run, a minute)"
        fetch || fail "Chromium could not be fetched; see above. \`apt-get update\` may be missing."
    fi
    exec 9>&-
}

# fetch: what apt would install is downloaded, checked by apt against the mirror's signed list, and unpacked.
fetch() {
    local scratch="$here/.cache/chromium" names status=0
    names="$(apt-get install --simulate --no-install-recommends chromium | awk '$1 == "Inst" { print $2 }')" || return 1
    [ -n "$names" ] || return 1
    rm -rf "$scratch"
    mkdir -p "$scratch/unpacked"
    # shellcheck disable=SC2086 - the names are words
    (cd "$scratch" && apt-get download --quiet $names >&2) || status=1
    for package in "$scratch"/*.deb; do
        [ "$status" -eq 0 ] && { dpkg -x "$package" "$scratch/unpacked" || status=1; }
    done
    # elsewhere than on Debian the package of that name may hold no browser
    [ "$status" -eq 0 ] && [ -x "$scratch/unpacked/usr/lib/chromium/chromium" ] && mv "$scratch/unpacked" "$folder" || status=1
    rm -rf "$scratch"
    return "$status"
}

run() {
    local program profile status=0
    program="$(installed || true)"
    if [ -x "$folder/usr/lib/chromium/chromium" ]; then
        program="$folder/usr/lib/chromium/chromium"
        LD_LIBRARY_PATH="$(find "$folder/usr/lib" -name '*.so*' -printf '%h\n' | grep -v '/chromium$' | sort -u | paste -sd :)"
        export LD_LIBRARY_PATH
    fi
    [ -n "$program" ] || fail "no Chromium is here; run deploy/services/chromium.sh install."
    profile="$(mktemp -d)"
    # its sandbox needs rights that a container has not; it is shown pages of our own alone
    "$program" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --user-data-dir="$profile" "$@" || status=$?
    rm -rf "$profile"
    return "$status"
}

case "${1:-} $#" in
    "install 1") install ;;
    "run "*) shift; run "$@" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
