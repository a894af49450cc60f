#!/usr/bin/env bash
# All tests of all modules: unit, golden, fuzz (short), race, end to end with
# real clients. SOAK=1 runs the long forms.
. "$(dirname "$0")/lib.sh"

export PATH="$PWD/.clients/bin:$PATH"
fuzztime=2s minimizetime=20x
[ -n "${SOAK:-}" ] && fuzztime=60s minimizetime=60s && export DAYPASS_SOAK=1

# Each package is built for fuzzing once; inputs are kept where go test -fuzz
# keeps them.
fuzz() {
  local pkg target binary out cache
  binary=$(mktemp) out=$(mktemp) cache=$(go env GOCACHE)/fuzz
  for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' internal cmd | xargs -n1 dirname | sort -u); do
    go test -c -fuzz Fuzz -o "$binary" "./$pkg" || return 1
    for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$pkg"/*_test.go | sed 's/^func //' | sort -u); do
      (cd "$pkg" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$fuzztime" -test.fuzzminimizetime "$minimizetime" \
        -test.fuzzcachedir "$cache/$(go list .)") >"$out" 2>&1 || { cat "$out"; return 1; }
      echo "$pkg $target: $(grep -o 'execs: .*' "$out" | tail -n 1)"
    done
  done
  rm -f "$binary" "$out"
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
