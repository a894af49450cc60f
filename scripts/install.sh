#!/usr/bin/env bash
# Installs the real clients that the tests drive, as far as they are missing.
# Debian packages need Debian or Ubuntu and root (or sudo); elsewhere this says
# what to install by hand, and the tests that need it skip with a message.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
want() { command -v "$1" >/dev/null 2>&1 || missing+=("${@:2}"); }
want curl curl
want jq jq
want git git
want openssl openssl
want python3 python3
want npm npm nodejs
want rclone rclone
want s3cmd s3cmd
want restic restic
want chromium chromium
want gcc gcc libc6-dev # for the race detector
# A Ceph object gateway (scripts/ceph.sh), and Python's OAuth client.
want radosgw radosgw
want ceph-mon ceph-mon
want ceph-osd ceph-osd
want ceph ceph-common
/usr/bin/python3 -c 'import requests_oauthlib' 2>/dev/null || missing+=(python3-requests-oauthlib)
[ -x /usr/bin/aws ] || missing+=(awscli) # version 2

if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  if ! command -v apt-get >/dev/null 2>&1 || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; }; then
    echo "install: please install ${missing[*]}; tests that need them skip" >&2
  else
    echo "install: ${missing[*]}"
    "${as_root[@]}" apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
  fi
fi

# The aws CLI of version 1 and boto3, in a folder of their own.
clients=.clients
if ! { aws --version 2>/dev/null | grep -q '^aws-cli/1\.' && python3 -c 'import boto3' 2>/dev/null; } && [ ! -x "$clients/bin/aws" ]; then
  echo "install: aws CLI version 1 and boto3 into $clients"
  if ! { python3 -m venv "$clients" && "$clients/bin/pip" install -q awscli boto3; } 2>/dev/null; then
    rm -rf "$clients"
    echo "install: no aws CLI version 1 to be had; tests that need it skip" >&2
  fi
fi

# What craycli pins: the last boto3 that takes region_name="".
if [ ! -x "$clients/craycli/bin/python" ]; then
  echo "install: boto3 1.23 into $clients/craycli"
  if ! { python3 -m venv "$clients/craycli" && "$clients/craycli/bin/pip" install -q --retries 0 'boto3<1.24' 'botocore<1.27'; } >/dev/null 2>&1; then
    rm -rf "$clients/craycli"
    echo "install: no boto3 1.23 to be had; tests that need it skip" >&2
  fi
fi

# From npm: an OIDC issuer of somebody else, clients of Cognito and of IBM Cloud
# IAM, and what looks over pages.
packages=(
  oidc-provider@9.13.3
  amazon-cognito-identity-js@6.3.21
  @aws-sdk/client-cognito-identity-provider@3.1169.0
  @aws-sdk/client-s3@3.1175.0
  @aws-sdk/credential-providers@3.1175.0
  aws-jwt-verify@5.2.1
  @ibm-cloud/platform-services@0.83.1
  axe-core@4.14.1
)
if [ "$(cat "$clients/node/installed" 2>/dev/null)" != "${packages[*]}" ] && command -v npm >/dev/null 2>&1; then
  echo "install: ${packages[*]} into $clients/node"
  mkdir -p "$clients/node"
  if npm install --silent --no-audit --no-fund --no-package-lock --prefix "$clients/node" "${packages[@]}" >/dev/null 2>&1; then
    echo "${packages[*]}" >"$clients/node/installed"
  else
    rm -rf "$clients/node"
    echo "install: no packages from npm to be had; tests that need them skip" >&2
  fi
fi

# IBM's client of Key Protect, apart: it needs an older axios than the others.
package=@ibm-cloud/ibm-key-protect@0.1.2
if [ "$(cat "$clients/keyprotect/installed" 2>/dev/null)" != "$package" ] && command -v npm >/dev/null 2>&1; then
  echo "install: $package into $clients/keyprotect"
  mkdir -p "$clients/keyprotect"
  if npm install --silent --no-audit --no-fund --no-package-lock --prefix "$clients/keyprotect" "$package" >/dev/null 2>&1; then
    echo "$package" >"$clients/keyprotect/installed"
  else
    rm -rf "$clients/keyprotect"
    echo "install: no $package to be had; tests that need it skip" >&2
  fi
fi
