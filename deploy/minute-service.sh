#!/usr/bin/env bash
# The minute service with real servers on this machine: PostgreSQL, Redis, a Celery worker and beat, the pipeline, the API.
#   deploy/minute-service.sh FOLDER [options of candlelake up]   run it until interrupted; the servers' data lies in FOLDER
# It is `candlelake up` with two servers of its own, which end with it; a second run goes on with what the first one kept.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
[ $# -ge 1 ] && [[ "$1" != -* ]] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder="$(cd "$1" && pwd)"
shift
services="$here/deploy/services"

stop() {
    "$services/redis.sh" stop "$folder/redis"
    "$services/postgres.sh" stop "$folder/postgres"
}
trap stop EXIT
# a signal is for the crew: it ends, and then the servers do
trap '[ -z "${crew:-}" ] || kill -INT "$crew"' INT
trap '[ -z "${crew:-}" ] || kill -TERM "$crew"' TERM

mkdir -p "$folder/redis" "$folder/postgres"
CANDLELAKE_SERVE__DATABASE_URL="$("$services/postgres.sh" start "$folder/postgres")"
CANDLELAKE_SERVE__DATABASE_PASSWORD="$(cat "$folder/postgres/password")"
CANDLELAKE_WORKERS__REDIS_URL="$("$services/redis.sh" start "$folder/redis")"
export CANDLELAKE_SERVE__DATABASE_URL CANDLELAKE_SERVE__DATABASE_PASSWORD CANDLELAKE_WORKERS__REDIS_URL
export CANDLELAKE_WORKERS__HOME=celery PYTHONPATH="$here"
status=0
"$here/.venv/bin/python" -m jobs up "$@" &
crew=$!
# a signal ends a wait, not the crew: wait until it has ended
while kill -0 "$crew" 2>/dev/null; do
    wait "$crew" && status=0 || status=$?
done
exit "$status"
