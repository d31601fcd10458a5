#!/usr/bin/env bash
# Checks what is for Docker without Docker: compose files by Compose's own library, Dockerfiles by hadolint.
#   deploy/containers/check.sh install      build the loader and fetch hadolint into .tools
#   deploy/containers/check.sh              check all; what is wrong goes to standard error, and the exit code is 1
#   deploy/containers/check.sh model FILE   print a compose file as Docker would understand it, as JSON
set -euo pipefail
folder="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$folder/../services/service.sh"
loader="$tools/compose-check-$(cat "$folder"/check/* | sha256sum | cut -c1-12)"
linter="$tools/hadolint-$(sha256sum < "$folder/hadolint.txt" | cut -c1-12)"

install() {
    build
    install_apart "$linter" "$folder/hadolint.txt" "hadolint"
}

build() { build_with_go "$loader" "$folder/check" "the loader of compose files"; }

# model FILE: what has to be set in .env is set here, to a word that says so.
model() {
    (cd "$here" && CANDLELAKE_SERVE__DATABASE_PASSWORD=from-the-environment GRAFANA_PASSWORD=from-the-environment S3_SECRET=from-the-environment \
        "$loader" "$1")
}

check_all() {
    local status=0 file
    for file in compose.yaml compose.test.yml deploy/cluster/compose.yaml; do
        model "$file" >/dev/null || status=1
    done
    (cd "$here" && "$linter/bin/hadolint" --failure-threshold info Dockerfile deploy/cluster/s3.Dockerfile) >&2 || status=1
    return "$status"
}

case "${1:-} $#" in
    "install 1") install ;;
    " 0") install; check_all ;;
    "model 2") install; model "$2" ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
