#!/usr/bin/env bash
# A local AWS on this machine that executes functions, for tests.
#   deploy/services/ministack.sh install               install the pinned packages into .tools
#   deploy/services/ministack.sh start FOLDER [PORT]   start it and print its address; all it holds is in memory
#   deploy/services/ministack.sh stop FOLDER           stop the server of this folder
# It looks at no credentials: loopback only. Its packages lie apart, for they pin other versions than ours.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
version=1.5.33
home="$tools/ministack-$version"

install() {
    [ -f "$home/.complete" ] && return
    [ -x "$venv/bin/python" ] || fail "functions run with the Python of .venv: make the environment first, with ./run-tests.sh."
    install_apart "$home" "$here/deploy/services/ministack.txt" "ministack $version"
}

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    run_on_port "$folder" "$port" "ministack of $folder"
}

run() {
    local folder="$1" port="$2"
    BIND_HOST=127.0.0.1 MINISTACK_HOST=127.0.0.1 GATEWAY_PORT="$port" TMPDIR="$folder" LAMBDA_EXECUTOR=local \
        start_service "$folder" "http://127.0.0.1:$port/_ministack/health" "$home/bin/ministack" || return 1
    echo "http://127.0.0.1:$port" | tee "$folder/endpoint"
}

obey "$@"
