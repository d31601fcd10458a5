#!/usr/bin/env bash
# A real Prometheus on this machine, for the tests of alerts and dashboards.
#   deploy/prometheus/server.sh install                fetch Debian's prometheus into .tools
#   deploy/prometheus/server.sh start FOLDER [PORT]    start it on FOLDER/prometheus.yml and print its address
#   deploy/prometheus/server.sh stop FOLDER            stop the server of this folder
# On Debian and its kin, without root; elsewhere a prometheus and a promtool on the PATH are taken.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../services/service.sh"
unpacked="$tools/prometheus"

install() {
    [ -x "$unpacked/usr/bin/prometheus" ] || command -v prometheus >/dev/null && return
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || fail "no Prometheus was found and there is no apt-get to fetch one. Put prometheus and promtool on the PATH."
    mkdir -p "$tools" "$here/.cache"
    exec 9>"$tools/.lock"
    flock 9
    if [ ! -x "$unpacked/usr/bin/prometheus" ]; then
        say "fetching Prometheus from this machine's Debian mirror (first run, a few seconds)"
        fetch || fail "Prometheus could not be fetched; see above. \`apt-get update\` may be missing."
    fi
    exec 9>&-
}

# fetch: apt checks what it downloads against the mirror's signed list; it is unpacked, not installed.
fetch() {
    local scratch="$here/.cache/prometheus" status=0
    rm -rf "$scratch"
    mkdir -p "$scratch/unpacked"
    (cd "$scratch" && apt-get download --quiet prometheus >&2 && dpkg -x ./*.deb unpacked) || status=1
    [ "$status" -eq 0 ] && mv "$scratch/unpacked" "$unpacked" || status=1
    rm -rf "$scratch"
    return "$status"
}

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    run_on_port "$folder" "$port" "Prometheus of $folder"
}

run() {
    local folder="$1" address="127.0.0.1:$2" program="$unpacked/usr/bin/prometheus"
    [ -x "$program" ] || program=prometheus
    start_service "$folder" "http://$address/-/ready" "$program" --config.file="$folder/prometheus.yml" \
        --storage.tsdb.path="$folder/data" --web.listen-address="$address" || return 1
    echo "http://$address" | tee "$folder/endpoint"
}

obey "$@"
