#!/usr/bin/env bash
# All tests of all modules: unit, golden, fuzz (short), race, end to end with
# real clients. SOAK=1 runs the long forms.
. "$(dirname "$0")/lib.sh"

export PATH="$PWD/.clients/bin:$PATH"
fuzztime=3s
[ -n "${SOAK:-}" ] && fuzztime=60s && export DAYPASS_SOAK=1

fuzz() {
  local pkg target
  for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' internal cmd | xargs -n1 dirname | sort -u); do
    for target in $(grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' "$pkg" | sed 's/^func //' | sort -u); do
      go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "./$pkg" | tail -n 1
    done
  done
}

race() { CGO_ENABLED=1 go test -race -short ./internal/... ./cmd/...; }

e2e() {
  local timeout=40m
  [ -n "${SOAK:-}" ] && timeout=3h
  (cd e2e && DAYPASS_BIN="$PWD/../bin" go test -count=1 -timeout "$timeout" ./...)
}

step "install what is missing" ./scripts/install.sh
step "build" make --no-print-directory build
step "go test ./..." go test ./...
step "go test ./... (objectstore)" bash -c 'cd objectstore && go test ./...'
if command -v gcc >/dev/null 2>&1; then
  step "go test -race" race
else
  echo "== SKIPPED: go test -race (no C compiler)"
fi
step "fuzz, $fuzztime each" fuzz
step "end to end" e2e
seconds_per_step
