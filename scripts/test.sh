#!/usr/bin/env bash
# All tests of all modules: unit, golden, fuzz (short), race, end to end with
# real clients. SOAK=1 runs the long forms.
. "$(dirname "$0")/lib.sh"

export PATH="$PWD/.clients/bin:$PATH"
fuzztime=1s minimizetime=20x
[ -n "${SOAK:-}" ] && fuzztime=60s minimizetime=60s && export DAYPASS_SOAK=1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# out_of_time FILE: the run that FILE tells of failed in nothing but that Go
# took the end of its time for a failure. Nothing was found then.
out_of_time() {
  grep -qx '    context deadline exceeded' "$1" &&
    ! grep -qvE '^(fuzz: elapsed: .*|--- FAIL: Fuzz[A-Za-z0-9_]+ \([0-9.]+s\)|    context deadline exceeded|FAIL)$' "$1"
}

# fuzz_target PACKAGE TARGET BINARY: inputs are kept where go test -fuzz keeps
# them. Fails too where no target ran. Many kept inputs can take all the time.
fuzz_target() {
  local out=$work/out cache try
  cache=$(go env GOCACHE)/fuzz/$(go list "./$1") || return 1
  for try in first last; do
    if (cd "$1" && "$3" -test.run '^$' -test.fuzz "^$2\$" -test.fuzztime "$fuzztime" -test.fuzzminimizetime "$minimizetime" \
      -test.fuzzcachedir "$cache") >"$out" 2>&1 && grep -q '^fuzz: elapsed: ' "$out"; then
      echo "$1 $2: $(grep -oE 'execs: .*|baseline coverage: .*' "$out" | tail -n 1)"
      return 0
    fi
    cat "$out"
    [ "$try" = first ] && out_of_time "$out" || return 1
    echo "$1 $2: once more"
  done
}

# Each package is built for fuzzing once. set -e does not hold in a step.
fuzz() {
  local pkg target targets=0
  for pkg in $(grep -rl --include='*_test.go' '^func Fuzz' internal cmd | xargs -n1 dirname | sort -u); do
    go test -c -fuzz Fuzz -o "$work/fuzz" "./$pkg" || return 1
    for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$pkg"/*_test.go | sed 's/^func //' | sort -u); do
      fuzz_target "$pkg" "$target" "$work/fuzz" || return 1
      targets=$((targets + 1))
    done
  done
  [ "$targets" -gt 0 ]
}

# By default every process waits for a second before it ends, and the scripts of
# the command start hundreds.
race() { GORACE=atexit_sleep_ms=0 CGO_ENABLED=1 go test -race -short ./internal/... ./cmd/...; }

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
