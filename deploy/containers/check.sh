#!/usr/bin/env bash
# Checks what is for Docker without Docker: compose files by Compose's own loader, Dockerfiles by hadolint.
#   deploy/containers/check.sh install    build the loader (compose-go, Apache-2.0) and fetch hadolint into .tools
#   deploy/containers/check.sh            check all; what is wrong goes to standard error, and the exit code is 1
#   deploy/containers/check.sh model FILE print a compose file as Docker would understand it, as JSON
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../services/service.sh"
folder="$here/deploy/containers"
version=v2.16.2
# the module calls its program so
loader="$tools/cmd-$version"
linter="$tools/hadolint-$(sha256sum < "$folder/hadolint.txt" | cut -c1-12)"

install() {
    go_install cmd github.com/compose-spec/compose-go/v2/cmd "$version"
    install_apart "$linter" "$folder/hadolint.txt" "hadolint"
}

# model FILE: what has to be set in .env is set here to a word that says so.
model() {
    (cd "$here" && env "${placeholders[@]}" "$loader" --format json "$1")
}

placeholders=(CANDLELAKE_SERVE__DATABASE_PASSWORD=from-the-environment GRAFANA_PASSWORD=from-the-environment S3_SECRET=from-the-environment)

check_all() {
    local status=0 file
    for file in compose.yaml compose.test.yml deploy/cluster/compose.yaml; do
        model "$file" >/dev/null || { echo "  in $file" >&2; status=1; }
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
