#!/usr/bin/env bash
# A stand-in for AWS's own interfaces on this machine, moto's server, and the tools that check what is written for AWS.
#   deploy/services/moto.sh install               install the pinned packages into .tools
#   deploy/services/moto.sh start FOLDER [PORT]   start the server and print its address; all it holds is in memory
#   deploy/services/moto.sh stop FOLDER           stop the server of this folder
#   deploy/services/moto.sh run PROGRAM ...       run cfn-lint, aws, venv-pack or another of its programs
# It looks at no credentials: loopback only. Its packages lie apart, for they pin other versions than ours.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
wanted="$(sha256sum < "$here/deploy/services/moto.txt" | cut -c 1-12)"
home="$tools/moto-$wanted"

install() { install_apart "$home" "$here/deploy/services/moto.txt" "moto and the tools for AWS"; }

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    run_on_port "$folder" "$port" "moto of $folder"
}

run() {
    local folder="$1" port="$2"
    start_service "$folder" "http://127.0.0.1:$port/moto-api/" "$home/bin/moto_server" --host 127.0.0.1 --port "$port" || return 1
    echo "http://127.0.0.1:$port" | tee "$folder/endpoint"
}

if [ "${1:-}" = run ] && [ $# -ge 2 ]; then
    install
    program="$2"
    shift 2
    [ -x "$home/bin/$program" ] || fail "there is no program $program in $home/bin."
    exec "$home/bin/$program" "$@"
fi
obey "$@"
