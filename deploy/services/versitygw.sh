#!/usr/bin/env bash
# A real S3 server on this machine, for tests and for trying out a lake in S3.
#   deploy/services/versitygw.sh install               build the pinned server into .tools
#   deploy/services/versitygw.sh start FOLDER [PORT]   start it and print its address; objects are files below FOLDER/data
#   deploy/services/versitygw.sh stop FOLDER           stop the server of this folder
# Its root user is AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment, where every client looks too.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"
version=v1.8.0

install() { go_install versitygw github.com/versity/versitygw/cmd/versitygw "$version"; }

start() {
    local folder="$1" port="$2"
    [ -n "${AWS_ACCESS_KEY_ID:-}" ] && [ -n "${AWS_SECRET_ACCESS_KEY:-}" ] || fail "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: they become the server's root user."
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder/data" "$folder/iam" "$folder/versions"
    run_on_port "$folder" "$port" "the S3 server of $folder"
}

run() {
    local folder="$1" address="127.0.0.1:$2"
    # in the environment, not in the arguments: those any user of the machine can read
    ROOT_ACCESS_KEY_ID="$AWS_ACCESS_KEY_ID" ROOT_SECRET_ACCESS_KEY="$AWS_SECRET_ACCESS_KEY" \
        start_service "$folder" "http://$address/healthz" "$tools/versitygw-$version" --quiet --port "$address" \
        --region "${AWS_REGION:-us-east-1}" --iam-dir "$folder/iam" --health /healthz \
        posix --versioning-dir "$folder/versions" "$folder/data" || return 1
    echo "http://$address" | tee "$folder/endpoint"
}

obey "$@"
