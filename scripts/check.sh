#!/usr/bin/env bash
# What a reviewer should not have to look for. Tools run at pinned versions.
. "$(dirname "$0")/lib.sh"

gofumpt() {
  local out
  out=$(go run mvdan.cc/gofumpt@v0.12.0 -l cmd internal objectstore e2e ./*.go)
  [ -z "$out" ] || { echo "not formatted (gofumpt -w):"; echo "$out"; return 1; }
}
each() { # each COMMAND...: in every module
  local m
  for m in . objectstore e2e; do (cd "$m" && "$@"); done
}

step "gofumpt" gofumpt
step "go vet" each go vet ./...
step "staticcheck" each go run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...
step "layers" go test -count=1 -run 'TestLayers|TestPackageDocs|TestForbiddenImports' .
step "go mod tidy -diff" each go mod tidy -diff
seconds_per_step
