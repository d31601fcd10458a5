# Sourced by spark-submit.sh and run-tests.sh: finds Python and Java, makes the environment, fetches jars.
# Everything lands in the checkout: .venv, .jars, .cache. A second call finds all done in well under a second.

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$here/.venv"

fail() { echo "candlelake: $*" >&2; exit 2; }
say() { echo "candlelake: $*" >&2; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed and was not found ($({ command -v python3 >/dev/null && python3 --version; } 2>&1 || echo "no python3 on the PATH")). Install one, or set PYTHON to it."
}

check_java() {
    local java="${JAVA_HOME:+$JAVA_HOME/bin/}java" version
    command -v "$java" >/dev/null 2>&1 || fail "Java 17 or newer is needed and was not found. Install one, or set JAVA_HOME to it."
    version="$({ "$java" -version 2>&1 || true; } | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)"
    [ "${version:-0}" -ge 17 ] || fail "Java 17 or newer is needed; $java is version ${version:-unknown}. Set JAVA_HOME to a newer one."
}

# make_environment GROUP: the virtual environment holds requirements/GROUP.txt, every file checked by its hash.
make_environment() {
    local group="$1" wanted stamp
    wanted="$(cat "$here/requirements/$group.txt" "$here/pyproject.toml" | sha256sum | cut -d' ' -f1)"
    stamp="$venv/.candlelake-$group"
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    local python
    python="$(find_python)" || exit 2
    say "setting up the Python environment in .venv (first run, a minute or two)"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || fail "could not make a virtual environment with $python; is its venv module installed?"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$here/requirements/$group.txt" >&2 \
        || fail "the pinned packages could not be installed; see above."
    install_command
    echo "$wanted" > "$stamp"
}

# The candlelake command runs the checkout's own code, so a pull needs no reinstall.
install_command() {
    printf '%s\n' "$here" > "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/candlelake.pth"
    printf '#!%s\nimport sys\n\nfrom jobs.cli import main\n\nsys.exit(main())\n' "$venv/bin/python" > "$venv/bin/candlelake"
    chmod +x "$venv/bin/candlelake"
}

# put_packages LIST FOLDER: the pinned packages of LIST lie in FOLDER, apart from .venv, which has what they ask for.
put_packages() {
    local list="$1" folder="$2" wanted
    wanted="$(sha256sum < "$list")"
    [ -f "$folder/.complete" ] && [ "$(cat "$folder/.complete")" = "$wanted" ] && return
    say "installing $(grep -o '^[a-z0-9-]*==[0-9.]*' "$list" | paste -sd' ') (first run, a minute or two)"
    rm -rf "$folder"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target "$folder" -r "$list" >&2 \
        || fail "the pinned packages could not be installed; see above."
    echo "$wanted" > "$folder/.complete"
}

# fetch_jars LIST: the jars of conf/LIST.txt lie in .jars/LIST, each checked by its SHA-256.
fetch_jars() {
    local list="$1" wanted
    wanted="$(sha256sum < "$here/conf/$list.txt" | cut -d' ' -f1)"
    [ -f "$here/.jars/$list/.complete" ] && [ "$(cat "$here/.jars/$list/.complete")" = "$wanted" ] && return
    say "fetching the jars of conf/$list.txt (first run)"
    check_java
    "$venv/bin/python" "$here/deploy/fetch_jars.py" "$list" || fail "the jars of conf/$list.txt could not be fetched; see above."
    echo "$wanted" > "$here/.jars/$list/.complete"
}
