# Shared by the scripts of this folder: steps with their seconds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CGO_ENABLED="${CGO_ENABLED:-0}"
summary=()

# step NAME COMMAND...: runs it, notes how long it took, stops on failure.
step() {
  local name=$1 began=$SECONDS
  shift
  echo "== $name"
  if ! "$@"; then
    echo "== FAILED: $name (after $((SECONDS - began)) s)"
    exit 1
  fi
  summary+=("$(printf '%5d s  %s' $((SECONDS - began)) "$name")")
}

seconds_per_step() { printf '%s\n' "${summary[@]}" "$(printf '%5d s  in all' "$SECONDS")"; }
