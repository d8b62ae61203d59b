#!/bin/sh
# environment.sh FOLDER CONSTRAINTS: a virtual environment with exactly the pinned packages
# and this project itself, installed so that edits take effect.
set -eu
venv=$1
constraints=$2

fresh_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# The distribution's own first: it is built for speed and kept free of known holes. Debian and Ubuntu ship
# venv apart from it, so one that lacks nothing goes before one that does.
find_python() {
    for wanted in has_venv true; do
        for candidate in /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11; do
            if fresh_enough "$candidate" && "$wanted" "$candidate"; then
                command -v "$candidate"
                return
            fi
        done
    done
    echo "Hilum needs Python 3.11 or newer, and none was found. On Debian 12+ or Ubuntu 24.04+:" >&2
    echo "    sudo apt-get install python3 python3-venv" >&2
    exit 1
}

ensure_venv() {
    if has_venv "$1"; then
        return
    fi
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing $package"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
    else
        echo "Python's venv module is missing. Install it and try again:" >&2
        echo "    sudo apt-get update && sudo apt-get install $package" >&2
        exit 1
    fi
}

if ! fresh_enough "$venv/bin/python"; then
    python=$(find_python)
    ensure_venv "$python"
    echo "making $venv with $python"
    "$python" -m venv --clear "$venv"
fi

echo "installing the packages of $constraints (once, and whenever it changes)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$constraints"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
