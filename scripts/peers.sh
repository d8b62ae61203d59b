#!/bin/sh
# Names the independent peers of the tests that this machine lacks. Without them their tests are
# skipped and say so; with HILUM_REQUIRE_PEERS=1 that is a failure.
set -eu
missing=
command -v storescu >/dev/null || missing="$missing dcmtk"
command -v curl >/dev/null || missing="$missing curl"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || missing="$missing chromium"
command -v nginx >/dev/null || missing="$missing nginx-light"
command -v openssl >/dev/null || missing="$missing openssl"
[ -n "$missing" ] || exit 0
echo "peers of the tests that are not installed:$missing" >&2
echo "    sudo apt-get update && sudo apt-get install$missing" >&2
if [ "${HILUM_REQUIRE_PEERS:-}" = 1 ]; then
    exit 1
fi
echo "their tests will be skipped" >&2
