#!/usr/bin/env bash
# The tests with an older Spark and Delta than the pinned ones: those of a managed runtime.
#   deploy/version-floor.sh emr|glue [pytest options]    without options: the Spark part of the tests
# A set is a folder of deploy/floors: the packages that stand above those of .venv, and the jars in the place of conf/jars.txt.
# It runs in a copy of the checkout in .tools, so that what lies in .jars stays as it is.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/front-door.sh"
floors="$here/deploy/floors"

#: Rooms and files with a Spark session whose tests are the same on each set.
spark_part=(tests/transform tests/lake tests/expectations tests/jobs/test_front_to_back.py)

main() {
    local name="${1:-}"
    [[ " emr glue " == *" $name "* ]] || { sed -n '2,3s/^# \{0,1\}//p' "$0" >&2; exit 2; }
    shift
    [ $# -gt 0 ] || set -- --numprocesses 2 --dist loadfile "${spark_part[@]}"
    check_java
    make_environment dev
    local packages="$here/.tools/floors/$name/packages" copy="$here/.tools/floors/$name/checkout"
    put_packages "$floors/$name/requirements.txt" "$packages"
    make_copy "$copy"
    cp --remove-destination "$floors/$name/jars.txt" "$copy/conf/jars.txt"
    export PATH="$venv/bin:$PATH" PYTHONPATH="$copy:$packages" SPARK_HOME="$packages/pyspark"
    export TZ=UTC SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON="$venv/bin/python"
    (here="$copy" && cd "$copy" && fetch_jars jars)
    cd "$copy"
    say "tests with Spark $(python -c 'import pyspark; print(pyspark.__version__)') and the jars of deploy/floors/$name"
    exec python -m pytest "$@"
}

# make_copy FOLDER: the checkout's files, as hard links; of what was fetched only the jars of this set stay from the last time.
make_copy() {
    local folder="$1" entry
    mkdir -p "$folder"
    find "$folder" -mindepth 1 -maxdepth 1 ! -name .jars -exec rm -rf {} +
    for entry in "$here"/* "$here"/.env.example; do
        [ "$entry" = "$here/data" ] || cp -al "$entry" "$folder/"
    done
    ln -s "$venv" "$folder/.venv"
    # the recordings that a few tests read, where somebody has them beside the checkout
    [ ! -d "$here/../shared" ] || ln -sfn "$(cd "$here/../shared" && pwd)" "$(dirname "$folder")/shared"
}

main "$@"
