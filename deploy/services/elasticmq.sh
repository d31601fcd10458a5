#!/usr/bin/env bash
# A real SQS-compatible server on this machine, for tests and for trying out workers on a queue.
#   deploy/services/elasticmq.sh install               fetch the pinned jars into .jars
#   deploy/services/elasticmq.sh start FOLDER [PORT]   start it and print its address; messages are kept in memory only
#   deploy/services/elasticmq.sh stop FOLDER           stop the server of this folder
# It looks at no credentials: loopback only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"

install() {
    check_java
    [ -x "$venv/bin/spark-submit" ] || fail "the jars are fetched with Spark's resolver: make the environment first, with ./run-tests.sh."
    fetch_jars jars-elasticmq
}

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    run_on_port "$folder" "$port" "the SQS server of $folder"
}

run() {
    local folder="$1" port="$2" spark
    spark="$("$venv/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent / "jars")')"
    cat > "$folder/elasticmq.conf" <<CONF
include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = $port, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $port, sqs-limits = strict }
rest-stats { enabled = false }
CONF
    start_service "$folder" "http://127.0.0.1:$port/?Action=ListQueues" \
        "${JAVA_HOME:+$JAVA_HOME/bin/}java" -Xmx256m -Dconfig.file="$folder/elasticmq.conf" \
        -cp "$here/.jars/jars-elasticmq/*:$(echo "$spark"/scala-library-2.13.*.jar)" org.elasticmq.server.Main || return 1
    echo "http://127.0.0.1:$port" | tee "$folder/endpoint"
}

obey "$@"
