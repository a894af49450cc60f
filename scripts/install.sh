#!/usr/bin/env bash
# Installs the real clients that the tests drive, as far as they are missing:
# curl, jq, an aws CLI and boto3. Needs Debian or Ubuntu and root (or sudo);
# elsewhere it says what to install by hand, and the tests that need it skip.
set -euo pipefail

missing=()
want() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
want curl curl
want jq jq
want git git
want python3 python3
want aws awscli
if ! python3 -c 'import boto3' >/dev/null 2>&1; then missing+=(python3-boto3); fi
command -v gcc >/dev/null 2>&1 || missing+=(gcc libc6-dev) # for the race detector

[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "install: please install ${missing[*]}; tests that need them will skip" >&2
    exit 0
  fi
  as_root=(sudo)
fi
if ! command -v apt-get >/dev/null 2>&1; then
  echo "install: please install ${missing[*]}; tests that need them will skip" >&2
  exit 0
fi
echo "install: ${missing[*]}"
"${as_root[@]}" apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
