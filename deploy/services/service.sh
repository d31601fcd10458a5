# Sourced by the scripts of this folder: a server of this project runs in a folder that holds its data, its log, its
# address and its process id, so that whoever knows the folder can stop it.

source "$(dirname "${BASH_SOURCE[0]}")/../front-door.sh"
tools="$here/.tools"

# free_port: a loopback port that nothing listens on now.
free_port() {
    "$(find_python)" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# go_install PROGRAM MODULE VERSION: .tools/PROGRAM-VERSION, built from the module's checked source. What Go downloads
# and compiles on the way is deleted afterwards.
go_install() {
    local program="$1" module="$2" version="$3" built
    built="$tools/$program-$version"
    [ -x "$built" ] && return
    command -v go >/dev/null 2>&1 || fail "Go is needed to install $program $version and was not found. Install it from https://go.dev/dl, or put it on PATH."
    mkdir -p "$tools" "$here/.cache"
    exec 9>"$tools/.lock"
    flock 9
    if [ ! -x "$built" ]; then
        say "building $program $version with $(go env GOVERSION) (first run, a minute or two)"
        compile "$program" "$module" "$version" || fail "$program $version could not be built; see above."
    fi
    exec 9>&-
}

compile() {
    local scratch="$here/.cache/go-$1" status=0
    mkdir -p "$scratch/bin"
    GOPATH="$scratch/path" GOCACHE="$scratch/cache" GOBIN="$scratch/bin" GOFLAGS=-trimpath go install "$2@$3" >&2 || status=1
    [ "$status" -eq 0 ] && mv "$scratch/bin/$1" "$tools/$1-$3"
    chmod -R +w "$scratch"
    rm -rf "$scratch"
    return "$status"
}

# install_apart HOME LIST WHAT: a virtual environment of its own in .tools, with the pinned packages of LIST.
install_apart() {
    local home="$1" list="$2" what="$3" python
    [ -f "$home/.complete" ] && return
    python="$venv/bin/python"
    [ -x "$python" ] || python="$(find_python)" || exit 2
    mkdir -p "$tools"
    exec 9>"$tools/.lock"
    flock 9
    if [ ! -f "$home/.complete" ]; then
        say "installing $what (first run, a minute or two)"
        "$python" -m venv --clear "$home" || fail "could not make a virtual environment; is Python's venv module installed?"
        "$home/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$list" >&2 \
            || fail "the pinned packages could not be installed; see above."
        touch "$home/.complete"
    fi
    exec 9>&-
}

# build_with_go PROGRAM SOURCES WHAT: a program of ours, built once from a folder of Go with its pinned modules.
build_with_go() {
    local program="$1" sources="$2" what="$3" scratch status=0
    [ -x "$program" ] && return
    scratch="$here/.cache/$(basename "$program")"
    command -v go >/dev/null 2>&1 || fail "Go is needed to build $what and was not found. Install it from https://go.dev/dl, or put it on PATH."
    mkdir -p "$tools" "$scratch"
    say "building $what with $(go env GOVERSION) (first run, half a minute)"
    GOPATH="$scratch/path" GOCACHE="$scratch/cache" GOFLAGS="-trimpath -mod=readonly" go build -C "$sources" -o "$scratch/built" . >&2 || status=1
    [ "$status" -eq 0 ] && mv "$scratch/built" "$program"
    chmod -R +w "$scratch"
    rm -rf "$scratch"
    [ "$status" -eq 0 ] || fail "$what could not be built; see above."
}

# start_service FOLDER URL COMMAND...: runs the command in the background until URL answers; prints nothing.
# Returns 1 where another server has the port, the command ended or the URL did not answer in 20 seconds.
start_service() {
    local folder="$1" url="$2"
    shift 2
    is_refused "$url" || { echo "another server answers at $url" >> "$folder/log"; return 1; }
    "$@" >>"$folder/log" 2>&1 </dev/null 9>&- &
    echo "$!" > "$folder/pid"
    for _ in $(seq 200); do
        answers "$url" && return
        kill -0 "$(cat "$folder/pid")" 2>/dev/null || return 1
        sleep 0.1
    done
    stop_service "$folder"
    return 1
}

# answers URL: whether its server is there; of tcp://HOST:PORT, whether anybody listens.
answers() {
    case "$1" in
        tcp://*) local place="${1#tcp://}"; (exec 3<>"/dev/tcp/${place/://}") 2>/dev/null ;;
        *) curl --silent --fail --max-time 2 --output /dev/null "$1" ;;
    esac
}

is_refused() {
    local status=0
    case "$1" in
        tcp://*) ! answers "$1" ;;
        # 7 is curl's word for a refused connection: nobody listens there
        *) curl --silent --max-time 2 --output /dev/null "$1" || status=$?; [ "$status" -eq 7 ] ;;
    esac
}

is_running() {
    [ -f "$1/pid" ] && kill -0 "$(cat "$1/pid")" 2>/dev/null
}

# stop_service FOLDER: ends the server of this folder by its process id; done too where none runs.
stop_service() {
    local folder="$1" process
    [ -f "$folder/pid" ] || return 0
    process="$(cat "$folder/pid")"
    kill "$process" 2>/dev/null || true
    for _ in $(seq 100); do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$process" 2>/dev/null || true
    rm -f "$folder/pid" "$folder/endpoint"
}

# run_on_port FOLDER PORT NAME: calls the script's own `run FOLDER PORT`, where no port is given with a free one, again
# where another program has taken that meanwhile.
run_on_port() {
    local folder="$1" port="$2" name="$3"
    for _ in 1 2 3; do
        run "$folder" "${port:-$(free_port)}" && return
        [ -z "$port" ] || break
    done
    tail -n 3 "$folder/log" >&2
    fail "$name did not start; its log is $folder/log."
}

# obey COMMAND [FOLDER [PORT]]: what every script of this folder does with its arguments; else it prints its own head.
obey() {
    case "${1:-} $#" in
        "install 1") install ;;
        "start 2"|"start 3") start "$2" "${3:-}" ;;
        "stop 2") stop_service "$2" ;;
        *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
}
