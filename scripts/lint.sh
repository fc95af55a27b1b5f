#!/usr/bin/env bash
# The checks: vet, staticcheck, golangci-lint, govulncheck where its database answers, ruff. Tools are pinned here and run
# from the Go and Python caches, so that they stay out of go.mod.
set -euo pipefail
cd "$(dirname "$0")/.."
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
golangci=github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0

echo "gofmt";         unformatted=$(gofmt -l .); [ -z "$unformatted" ] || { echo "$unformatted"; exit 1; }
echo "go vet";        go vet ./...
echo "staticcheck";   go run "$staticcheck" ./...
echo "golangci-lint"; go run "$golangci" run ./...
echo "go mod tidy";   go mod tidy -diff
echo "govulncheck"
if ! out=$(go run "$govulncheck" ./... 2>&1); then
  if grep -qiE 'fetching vulnerabilities|no such host|dial tcp|connection refused|Forbidden|403|timeout' <<<"$out"; then
    echo "  its database does not answer from here: skipped"
  else
    echo "$out"; exit 1
  fi
fi
echo "ruff"
scripts/python.sh -m ruff check python examples bench
