#!/usr/bin/env bash
# Airflow with the DAGs of deploy/airflow on this machine, for tests and for a machine of one's own.
#   deploy/services/airflow.sh install               install the pinned packages into .tools
#   deploy/services/airflow.sh start FOLDER [PORT]   start all of it and print its address; its database and logs lie in FOLDER
#   deploy/services/airflow.sh stop FOLDER           stop the Airflow of this folder
#   deploy/services/airflow.sh run FOLDER ...        an airflow command on it, such as `dags list`; it need not be started
# `python FOLDER ...` runs its Python. Its packages lie apart from ours, for they pin other versions. It listens on loopback, and asks for a password.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
wanted="$(sha256sum < "$here/deploy/services/airflow.txt" | cut -c 1-12)"
home="$tools/airflow-$wanted"
pools="$here/deploy/airflow/pools.json"

install() { install_apart "$home" "$here/deploy/services/airflow.txt" "Airflow"; }

# settle FOLDER: the environment of the folder's Airflow, its database and the pools of our DAGs.
settle() {
    mkdir -p "$1"
    folder="$(cd "$1" && pwd)"
    export AIRFLOW_HOME="$folder" AIRFLOW__CORE__DAGS_FOLDER="$here/deploy/airflow/dags" AIRFLOW__CORE__LOAD_EXAMPLES=False
    export AIRFLOW__CORE__PARALLELISM="${AIRFLOW__CORE__PARALLELISM:-8}" AIRFLOW__API__HOST=127.0.0.1 AIRFLOW__API__WORKERS=1
    export PATH="$home/bin:$PATH" TZ=UTC
    local stamp
    stamp="$wanted $(sha256sum < "$pools")"
    [ -f "$folder/.settled" ] && [ "$(cat "$folder/.settled")" = "$stamp" ] && return
    "$home/bin/airflow" db migrate >>"$folder/log" 2>&1 || { tail -n 3 "$folder/log" >&2; fail "the database of $folder could not be made."; }
    "$home/bin/airflow" pools import "$pools" >>"$folder/log" 2>&1 || fail "the pools could not be made; see $folder/log."
    echo "$stamp" > "$folder/.settled"
}

start() {
    local port="$2"
    is_running "$1" && fail "the Airflow of $1 runs already; stop it first."
    install
    settle "$1"
    run_on_port "$folder" "$port" "the Airflow of $folder"
}

# Its parts are a group of processes: they end together, and only then has it stopped.
run() {
    local folder="$1" address="http://127.0.0.1:$2"
    is_refused "$address" || { echo "another server answers at $address" >> "$folder/log"; return 1; }
    AIRFLOW__API__PORT="$2" AIRFLOW__API__BASE_URL="$address" AIRFLOW__CORE__EXECUTION_API_SERVER_URL="$address/execution/" \
        setsid "$home/bin/airflow" standalone >>"$folder/log" 2>&1 </dev/null 9>&- &
    echo "$!" > "$folder/pid"
    for _ in $(seq 240); do
        answers "$address/api/v2/monitor/health" && { echo "$address" | tee "$folder/endpoint"; return; }
        is_running "$folder" || return 1
        sleep 0.5
    done
    stop "$folder"
    return 1
}

stop() {
    local folder="$1" group
    [ -f "$folder/pid" ] || return 0
    group="$(cat "$folder/pid")"
    kill -TERM -- "-$group" 2>/dev/null || true
    for _ in $(seq 120); do
        kill -0 -- "-$group" 2>/dev/null || break
        sleep 0.5
    done
    kill -KILL -- "-$group" 2>/dev/null || true
    rm -f "$folder/pid" "$folder/endpoint"
}

case "${1:-}" in
    run) program=airflow ;;
    python) program=python ;;
    *) program="" ;;
esac
if [ -n "$program" ] && [ $# -ge 3 ]; then
    install
    settle "$2"
    shift 2
    exec "$home/bin/$program" "$@"
fi
if [ "${1:-} $#" = "stop 2" ]; then stop "$2"; else obey "$@"; fi
