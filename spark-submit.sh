#!/usr/bin/env bash
# ./spark-submit.sh JOB [options]: makes the environment if it is missing, then runs jobs/JOB.py with spark-submit. A
# hyphen of a job's name is an underscore of its file's.
# SPARK_MASTER, or --master before or after JOB, moves it to a cluster; without it, local[*].
# SPARK_OPTIONS are more options of spark-submit, parted by spaces, such as "--executor-memory 4g --executor-cores 2".
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/deploy/front-door.sh"

jobs="$(cd "$here/jobs" && grep -lE '^if __name__ == "__main__":' ./*.py | sed 's|^\./||; s|\.py$||; s|_|-|g' | sort | paste -sd' ')"
master="${SPARK_MASTER:-local[*]}"
arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        --master) [ $# -ge 2 ] || fail "--master needs an address, such as spark://host:7077"; master="$2"; shift 2 ;;
        --master=*) master="${1#--master=}"; shift ;;
        *) arguments+=("$1"); shift ;;
    esac
done
job="${arguments[0]:-}"
case "$job" in
    -h|--help) echo "usage: ./spark-submit.sh JOB [options]   (jobs: $jobs; each has --help)"; exit 0 ;;
    "") echo "usage: ./spark-submit.sh JOB [options]   (jobs: $jobs; each has --help)" >&2; exit 2 ;;
esac
[ -f "$here/jobs/${job//-/_}.py" ] && [[ " $jobs " == *" $job "* ]] || fail "there is no job '$job'. Jobs: $jobs"

check_java
make_environment "${CANDLELAKE_REQUIREMENTS:-runtime}"
fetch_jars jars
jars="$(printf '%s,' "$here"/.jars/jars/*.jar)"
settings_words="${arguments[*]} $(env | grep '^CANDLELAKE_' || true)"
if [[ "$settings_words" == *s3a://* || "$settings_words" == *s3://* || "$settings_words" == *"--env aws"* || "$settings_words" == *"--env=aws"* || "${CANDLELAKE_ENV:-}" == aws ]]; then
    fetch_jars jars-s3
    jars+="$(printf '%s,' "$here"/.jars/jars-s3/*.jar)"
fi
if [[ "$settings_words" == *log_store=conditional* || "${CANDLELAKE_LAKE__LOG_STORE:-}" == conditional ]]; then
    "$here/deploy/log-store.sh"
fi
if [ -d "$here/.jars/log-store" ]; then
    jars+="$(printf '%s,' "$here"/.jars/log-store/*.jar)"
fi
if [ "$job" = land-topic ]; then
    fetch_jars jars-kafka
    jars+="$(printf '%s,' "$here"/.jars/jars-kafka/*.jar)"
fi
class_path=()
if [ "$job" = serve-sql ]; then
    # the server of JDBC closes the loader of --jars when a client leaves; Java's own it can't close
    class_path=(--driver-class-path "$(tr , : <<< "${jars%,}")")
fi

export PYSPARK_PYTHON="${PYSPARK_PYTHON:-$venv/bin/python}" PYSPARK_DRIVER_PYTHON="$venv/bin/python"
export PYTHONPATH="$here${PYTHONPATH:+:$PYTHONPATH}" TZ=UTC
shipped=()
if [[ "$master" == local* ]]; then
    export SPARK_LOCAL_IP=127.0.0.1
else
    # what deploy/package.sh makes: the executors' machines need no checkout
    package="$here/.cache/package"
    "$venv/bin/python" "$here/deploy/package.py" "$package" >/dev/null
    shipped=(--py-files "$package/candlelake.zip")
fi
read -ra options <<< "${SPARK_OPTIONS:-}"
# a pipe, so that the JVM and Python can both append to it, whatever it leads to
exec 2> >(trap '' INT; exec cat >&2)
exec "$venv/bin/spark-submit" \
    --master "$master" \
    --properties-file "$here/conf/spark-defaults.conf" \
    --driver-java-options "-Dlog4j2.configurationFile=$here/conf/log4j2.properties -Duser.timezone=UTC" \
    --jars "${jars%,}" \
    ${class_path[@]+"${class_path[@]}"} ${shipped[@]+"${shipped[@]}"} ${options[@]+"${options[@]}"} \
    "$here/jobs/${job//-/_}.py" "${arguments[@]:1}"
