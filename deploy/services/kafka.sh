#!/usr/bin/env bash
# A real Kafka broker (one node, KRaft) on this machine, for tests and for trying out the topic before bronze.
#   deploy/services/kafka.sh install               fetch the pinned jars into .jars
#   deploy/services/kafka.sh start FOLDER [PORT]   start it and print its address; a folder that has been used goes on with its topics
#   deploy/services/kafka.sh stop FOLDER           stop the broker of this folder
# Lines of FOLDER/more.properties stand above its own settings. It asks for no password unless they say so: loopback only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"

java="${JAVA_HOME:+$JAVA_HOME/bin/}java"

install() {
    check_java
    [ -x "$venv/bin/spark-submit" ] || fail "the jars are fetched with Spark's resolver: make the environment first, with ./run-tests.sh."
    fetch_jars jars-kafka-broker
}

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the broker of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    run_on_port "$folder" "$port" "the Kafka broker of $folder"
}

run() {
    local folder="$1" port="$2" spark classes
    spark="$("$venv/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent / "jars")')"
    classes="$here/.jars/jars-kafka-broker/*:$(echo "$spark"/scala-library-2.13.*.jar)"
    settings_of "$folder" "$port" "$(free_port)" > "$folder/server.properties"
    if [ ! -f "$folder/topics/meta.properties" ]; then
        "$java" -cp "$classes" kafka.tools.StorageTool format -t "$("$java" -cp "$classes" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)" \
            -c "$folder/server.properties" >> "$folder/log" 2>&1 || return 1
    fi
    start_service "$folder" "tcp://127.0.0.1:$port" "$java" -Xms128m -Xmx384m -XX:TieredStopAtLevel=1 \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$classes" kafka.Kafka "$folder/server.properties" || return 1
    echo "127.0.0.1:$port" | tee "$folder/endpoint"
}

# settings_of FOLDER PORT CONTROLLER_PORT: one node for everything, so each thing is kept once.
settings_of() {
    cat <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=PLAINTEXT://127.0.0.1:$2
log.dirs=$1/topics
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
log.retention.check.interval.ms=1000
num.partitions=2
PROPERTIES
    [ ! -f "$1/more.properties" ] || cat "$1/more.properties"
}

obey "$@"
