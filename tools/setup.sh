#!/usr/bin/env bash
# Installs what the checks need besides Go. As root on Debian by apt; else it
# says what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v go >/dev/null || {
  echo "setup: Go is missing: install $(sed -n 's/^go //p' go.mod) or newer, https://go.dev/dl/" >&2
  exit 1
}

# program=package
needs=(gcc=gcc make=make git=git node=nodejs npm=npm nginx=nginx-light caddy=caddy haproxy=haproxy chromium=chromium systemd-analyze=systemd)
missing=()
for need in "${needs[@]}"; do
  PATH="$PATH:/usr/sbin:/sbin" command -v "${need%%=*}" >/dev/null || missing+=("${need#*=}")
done

if ((${#missing[@]})); then
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    echo "setup: installing ${missing[*]}"
    export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive # RUNLEVEL=1: no package starts its service
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
  else
    echo "setup: missing: ${missing[*]}" >&2
    echo "setup: on Debian run: sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

# oidc-provider, a certified provider for the tests from outside
if [[ ! e2e/node_modules/.package-lock.json -nt e2e/package-lock.json ]]; then
  npm ci --prefix e2e --ignore-scripts --no-audit --no-fund
fi
