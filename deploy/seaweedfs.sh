#!/bin/sh
# An S3 server for docker-compose.yml: one process, one identity, nothing told to anybody outside.
set -eu
umask 077
identity=${TMPDIR:-/tmp}/s3.json
printf '{"identities": [{"name": "hilum", "actions": ["Admin", "Read", "Write", "List"], "credentials": [{"accessKey": "%s", "secretKey": "%s"}]}]}\n' \
    "$COLD_ACCESS_KEY" "$COLD_SECRET_KEY" >"$identity"
# Its parts speak to each other on loopback; only the S3 gateway, which asks for keys, is open.
exec weed server -s3 -dir="${DATA:-/data}" -ip=127.0.0.1 -ip.bind=127.0.0.1 -s3.ip.bind="${LISTEN:-0.0.0.0}" \
    -master.telemetry=false -master.electionTimeout=1s -volume.max=0 -s3.config="$identity" -s3.iam=false "$@"
