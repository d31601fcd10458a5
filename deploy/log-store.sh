#!/usr/bin/env bash
# Compiles the log store of lake.log_store = "conditional" (deploy/log_store/) into .jars/log-store, with the javac of the JDK.
#   deploy/log-store.sh         nothing is done where the source has not changed
# One source is one jar, byte for byte, by the same javac: no moment and no name of a JDK is in it.
# A cluster that is not started by ./spark-submit.sh gets the jar by --jars.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/front-door.sh"
source_file="$here/deploy/log_store/candlelake/ConditionalLogStore.java"
target="$here/.jars/log-store"
# how it is packed counts too: a jar that was packed otherwise is made anew
wanted="$(cat "$source_file" "$here/deploy/log-store.sh" "$here/deploy/package.py" | sha256sum | cut -d' ' -f1)"
[ -f "$target/.complete" ] && [ "$(cat "$target/.complete")" = "$wanted" ] && exit 0
command -v javac >/dev/null || fail "there is no javac to compile the log store with. Install a JDK 17 (Debian: openjdk-17-jdk-headless), or set lake.log_store to single-driver."
make_environment "${CANDLELAKE_REQUIREMENTS:-runtime}"
fetch_jars jars
spark="$("$venv/bin/python" -c 'import pathlib, pyspark; print(pathlib.Path(pyspark.__file__).parent / "jars")')"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
javac -Xlint:all -Werror -proc:none --release 17 -d "$scratch/classes" \
    -cp "$(echo "$spark"/hadoop-client-api-*.jar):$(echo "$here"/.jars/jars/*delta-storage*.jar)" "$source_file"
PYTHONPATH="$here" "$venv/bin/python" "$here/deploy/package.py" --zip "$scratch/classes" "$scratch/candlelake-log-store.jar"
mkdir -p "$target"
mv "$scratch/candlelake-log-store.jar" "$target/"
echo "$wanted" > "$target/.complete"
