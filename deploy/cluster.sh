#!/usr/bin/env bash
# A real cluster on this machine, from packages: what one process does on a laptop, done by many on servers.
#   deploy/cluster.sh up FOLDER                  start S3, Redis, Kafka, PostgreSQL, an exchange, two Celery workers, a Spark master and two workers
#   deploy/cluster.sh run FOLDER [window]        bring the bundled day through it, or the window of --start TIME --end TIME
#   deploy/cluster.sh compare FOLDER             do the same in one process on the local disk, FOLDER/single, and compare row by row
#   deploy/cluster.sh down FOLDER                stop all of it, by process id; what it wrote stays in FOLDER
# Afterwards `source FOLDER/environment` points every command of ours at it. Loopback only; secrets are made new and lie in FOLDER.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/services/service.sh"
services="$here/deploy/services"

# one core and 1.5 GiB of heap an executor: two of them, a driver, a broker and a reference run fit into 16 GiB
spark_options=(--driver-memory 2g --executor-memory 1536m --executor-cores 1 --total-executor-cores 2
    --conf spark.sql.shuffle.partitions=2 --conf spark.executor.extraJavaOptions=-Duser.timezone=UTC)
live_from=2025-03-25T23:01:00Z # six minutes before the first recorded single trade: 18 s at this speed
live_speed=20
live_lifetime=31s

bring_up() {
    is_running "$folder/spark-master" && fail "the cluster of $folder runs already; stop it first."
    check_java
    [ -x "$venv/bin/spark-submit" ] || fail "make the environment first, with ./run-tests.sh."
    for jars in jars jars-s3 jars-kafka; do fetch_jars "$jars"; done
    mkdir -p "$folder"
    trap 'take_down; say "the cluster did not start; its logs are below $folder"' EXIT
    make_code
    start_servers
    start_exchange exchange
    write_environment
    source "$folder/environment"
    make_bucket
    for number in 1 2; do start_celery_worker "$number"; done
    run_on_port "$folder/spark-master" "" "the Spark master" >/dev/null
    for number in 1 2; do start_spark_worker "$number"; done
    trap - EXIT
    say "the cluster of $folder is up: the candlelake command knows it after: source $folder/environment"
}

# make_code: our packages as the zip of deploy/package.py, which spark-submit ships and Celery's workers unpack; and the workers' Python, which
# has the packages that we need and not our code: it reads no file that would lead it to this checkout.
make_code() {
    local packages
    PYTHONPATH="$here" "$venv/bin/python" "$here/deploy/package.py" "$folder/package" >/dev/null
    rm -rf "$folder/code" "$folder/python"
    "$venv/bin/python" -m zipfile -e "$folder/package/candlelake.zip" "$folder/code"
    "$venv/bin/python" -m venv --without-pip "$folder/python"
    packages="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    echo "$packages" > "$("$folder/python/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth"
}

start_servers() {
    [ -f "$folder/secret" ] || (umask 077 && "$venv/bin/python" -c 'import secrets; print(secrets.token_urlsafe(24))' > "$folder/secret")
    export AWS_ACCESS_KEY_ID=candlelake AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1
    AWS_SECRET_ACCESS_KEY="$(cat "$folder/secret")"
    "$services/versitygw.sh" start "$folder/s3" >/dev/null
    "$services/redis.sh" start "$folder/redis" >/dev/null
    "$services/kafka.sh" start "$folder/kafka" >/dev/null
    "$services/postgres.sh" start "$folder/postgres" >/dev/null
}

# start_exchange NAME [options of candlelake replay]: an exchange that serves the recordings; its settings lie in NAME/log.
start_exchange() {
    local name="$1"
    shift
    mkdir -p "$folder/$name"
    : > "$folder/$name/log"
    start_until "$folder/$name" deribit.ws_url= "$venv/bin/python" -m jobs replay "$@" \
        || fail "the exchange did not start; its log is $folder/$name/log."
}

# start_until FOLDER TEXT COMMAND...: runs the command in the background until its log has the text.
start_until() {
    local home="$1" text="$2"
    shift 2
    mkdir -p "$home"
    "$@" >>"$home/log" 2>&1 </dev/null 9>&- &
    echo "$!" > "$home/pid"
    for _ in $(seq 600); do
        grep -q -- "$text" "$home/log" && return
        is_running "$home" || break
        sleep 0.1
    done
    stop_service "$home"
    return 1
}

# write_environment: what a command has to know to work on this cluster; read by nobody else, for it holds secrets.
write_environment() {
    (umask 077 && settings_of_cluster | sed 's/^/export /' > "$folder/environment")
}

settings_of_cluster() {
    cat <<SETTINGS
PYTHONPATH="$here"
TZ=UTC
AWS_ENDPOINT_URL="$(cat "$folder/s3/endpoint")"
AWS_ACCESS_KEY_ID=candlelake
AWS_SECRET_ACCESS_KEY="$(cat "$folder/secret")"
AWS_REGION=us-east-1
AWS_EC2_METADATA_DISABLED=true
AWS_CONFIG_FILE=/dev/null
AWS_SHARED_CREDENTIALS_FILE=/dev/null
CANDLELAKE_ENV=replay
CANDLELAKE_LAKE__ROOT=s3a://candlelake/lake
CANDLELAKE_WORKERS__HOME=celery
CANDLELAKE_WORKERS__REDIS_URL="$(cat "$folder/redis/endpoint")"
CANDLELAKE_WORKERS__VISIBILITY_SECONDS=20
CANDLELAKE_KAFKA__SERVERS="$(cat "$folder/kafka/endpoint")"
CANDLELAKE_SERVE__DATABASE_URL="$(cat "$folder/postgres/endpoint")"
CANDLELAKE_SERVE__DATABASE_PASSWORD="$(cat "$folder/postgres/password")"
SETTINGS
    exchange_settings exchange | sed -E 's/^([^=]*)=/CANDLELAKE_\U\1\E=/; :dots s/^([^=]*)\./\1__/; t dots'
}

# exchange_settings NAME: the settings that point at an exchange of ours, name=address a line.
exchange_settings() {
    grep '^exchanges\.' "$folder/$1/log"
}

make_bucket() {
    "$venv/bin/python" -c "from lake.s3 import open_client; s3 = open_client(); 'candlelake' in [one['Name'] for one in s3.list_buckets()['Buckets']] or s3.create_bucket(Bucket='candlelake')"
}

start_celery_worker() {
    local home="$folder/celery-worker-$1"
    mkdir -p "$home"
    : > "$home/log"
    start_until "$home" " ready\.$" env --chdir="$folder/code" -u CANDLELAKE_SERVE__DATABASE_PASSWORD \
        PYTHONPATH="$folder/code" "$folder/python/bin/python" -m celery -A extract.queues.celery_app worker --pool solo --without-gossip --without-mingle --loglevel INFO --hostname "worker-$1@cluster" \
        || fail "a Celery worker did not start; its log is $home/log."
}

# as_machine: the environment of a machine of the cluster, which has neither a checkout nor the database's password.
as_machine=(env -u PYTHONPATH -u CANDLELAKE_SERVE__DATABASE_PASSWORD SPARK_LOCAL_IP=127.0.0.1 SPARK_DAEMON_MEMORY=256m
    SPARK_DAEMON_JAVA_OPTS=-XX:TieredStopAtLevel=1)

# run FOLDER PORT: the Spark master, as run_on_port wants it.
run() {
    local home="$1" port="$2"
    mkdir -p "$home"
    start_service "$home" "tcp://127.0.0.1:$port" "${as_machine[@]}" SPARK_HOME="$(spark_home)" "$venv/bin/spark-class" \
        org.apache.spark.deploy.master.Master --host 127.0.0.1 --port "$port" --webui-port "$(free_port)" || return 1
    echo "spark://127.0.0.1:$port" > "$home/endpoint"
}

spark_home() { "$venv/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent)'; }

start_spark_worker() {
    local home="$folder/spark-worker-$1"
    mkdir -p "$home"
    : > "$home/log"
    start_until "$home" "Successfully registered with master" "${as_machine[@]}" SPARK_HOME="$(spark_home)" "$venv/bin/spark-class" \
        org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --cores 1 --memory 2g --webui-port "$(free_port)" \
        --work-dir "$home/work" "$(cat "$folder/spark-master/endpoint")" \
        || fail "a Spark worker did not start; its log is $home/log."
}

# submit JOB [options]: one of jobs/ on the cluster. The driver runs here, from the checkout; an executor has of our code
# what spark-submit.sh ships.
submit() {
    SPARK_MASTER="$(cat "$folder/spark-master/endpoint")" SPARK_OPTIONS="${spark_options[*]}" \
        PYSPARK_PYTHON="$folder/python/bin/python" SPARK_LOCAL_IP=127.0.0.1 "$here/spark-submit.sh" "$@"
}

candlelake() { "$venv/bin/python" -m jobs "$@"; }

send_through() {
    is_running "$folder/spark-master" || fail "the cluster of $folder does not run; start it with: deploy/cluster.sh up $folder"
    [ $# -gt 0 ] || set -- --start 2024-01-01T00:00:00Z --end 2024-01-02T00:00:00Z
    printf '%s\n' "$@" > "$folder/window"
    source "$folder/environment"
    say "trades by id: Celery's workers"
    candlelake extract history --mode date "${of_the_day[@]}" "$@"
    say "live trades: by Kafka to bronze"
    collect_live --sink kafka
    submit land-topic
    say "silver and gold: Spark's workers"
    submit pipeline "${of_the_day[@]}" "$@"
    say "the serving database"
    submit publish
}

of_the_day=(--exchange binance --kind spot --instruments BTCUSDT)

# collect_live [options]: all recorded single trades, at a faster pace, from an exchange of its own.
collect_live() {
    local sets=() status=0
    start_exchange live-exchange --live-from "$live_from" --speed "$live_speed"
    mapfile -t sets < <(exchange_settings live-exchange | sed 's/^/--set\n/')
    candlelake extract live "${of_the_day[@]}" --streams trade --lifetime "$live_lifetime" "$@" "${sets[@]}" || status=$?
    stop_service "$folder/live-exchange"
    return "$status"
}

compare() {
    local window=()
    [ -f "$folder/window" ] || fail "nothing was sent through the cluster of $folder yet: deploy/cluster.sh run $folder"
    source "$folder/environment"
    mapfile -t window < <(grep . "$folder/window")
    (in_one_process "${window[@]}")
    candlelake compare "$folder/single" --databases
}

# in_one_process [window]: the same steps without any server, in the folder single; what is done already is not done again.
in_one_process() {
    export CANDLELAKE_LAKE__ROOT="$folder/single" CANDLELAKE_WORKERS__HOME=pool CANDLELAKE_WORKERS__REDIS_URL=
    export CANDLELAKE_KAFKA__SERVERS= CANDLELAKE_SERVE__DATABASE_URL=
    unset CANDLELAKE_SERVE__DATABASE_PASSWORD
    if ! cmp --silent "$folder/window" "$folder/single-steps/window"; then
        rm -rf "$folder/single" "$folder/single-steps"
        mkdir "$folder/single-steps"
        cp "$folder/window" "$folder/single-steps/window"
    fi
    once history candlelake extract history --mode date "${of_the_day[@]}" "$@"
    once live collect_live --sink bronze
    once pipeline "$here/spark-submit.sh" pipeline "${of_the_day[@]}" "$@"
    once publish "$here/spark-submit.sh" publish
}

# once STEP COMMAND...: runs it where it has not ended well yet.
once() {
    [ ! -f "$folder/single-steps/$1" ] || return 0
    say "the same in one process: $1"
    "${@:2}" >&2
    touch "$folder/single-steps/$1"
}

take_down() {
    local part
    for part in live-exchange spark-worker-1 spark-worker-2 spark-master celery-worker-1 celery-worker-2 exchange; do
        stop_service "$folder/$part"
    done
    "$services/kafka.sh" stop "$folder/kafka"
    "$services/redis.sh" stop "$folder/redis"
    "$services/postgres.sh" stop "$folder/postgres"
    "$services/versitygw.sh" stop "$folder/s3"
}

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }

[ $# -ge 2 ] && [[ "$2" != -* ]] || usage
word="$1"
mkdir -p "$2"
folder="$(cd "$2" && pwd)"
shift 2
# our own code first, wherever the environment's leads
export PYTHONPATH="$here" TZ=UTC
cd "$here"
case "$word $#" in
    "up 0") bring_up ;;
    run\ *) send_through "$@" ;;
    "compare 0") compare ;;
    "down 0") take_down ;;
    *) usage ;;
esac
