#!/bin/sh
# peers.sh [PYTHON]: names the independent peers of the tests that this machine lacks, after fetching those
# that come from npm with PYTHON. Without them their tests are skipped and say so; with
# HILUM_REQUIRE_PEERS=1 that is a failure.
set -eu
python=${1:-}
here=$(dirname "$0")
missing=
command -v storescu >/dev/null || missing="$missing dcmtk"
command -v curl >/dev/null || missing="$missing curl"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v openssl >/dev/null || missing="$missing openssl"
command -v npm >/dev/null || missing="$missing npm"
unfetched=
if [ -n "$python" ] && command -v npm >/dev/null; then
    "$python" "$here/viewer.py" build/viewer || unfetched="$unfetched @ohif/app"
    "$python" "$here/npm_pack.py" dicomweb-client build/npm/dicomweb-client || unfetched="$unfetched dicomweb-client"
fi
[ -n "$missing$unfetched" ] || exit 0
if [ -n "$missing" ]; then
    echo "peers of the tests that are not installed:$missing" >&2
    echo "    sudo apt-get update && sudo apt-get install$missing" >&2
fi
if [ -n "$unfetched" ]; then
    echo "peers of the tests that npm could not bring:$unfetched" >&2
fi
if [ "${HILUM_REQUIRE_PEERS:-}" = 1 ]; then
    exit 1
fi
echo "their tests will be skipped" >&2
