#!/usr/bin/env bash
# Fuzzes each target of the module for the given time.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rEo --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]*' . | sort |
  while IFS=: read -r file func; do
    echo "fuzz $(dirname "$file") ${func#func }"
    go test -run '^$' -fuzz "^${func#func }\$" -fuzztime "$1" -fuzzminimizetime 10x "$(dirname "$file")" </dev/null
  done
