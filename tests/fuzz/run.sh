#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs the fuzz targets for a while: tests/fuzz/run.sh [--seconds N] [TARGET…]
#
# It builds with clang 19 in build-fuzz. Then it runs each target (all, or the given ones) for N
# seconds (default 10), two at a time, from its seeds and from the inputs that earlier runs found.
# An input that breaks an invariant is saved in build-fuzz/findings; a target passes if it has none.
# The last line is `N passed, N failed, N skipped`.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top" || exit 1
readonly build=$top/build-fuzz at_once=2
seconds=10
targets=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --seconds)
      seconds=${2:?}
      shift 2
      ;;
    -*)
      echo "usage: tests/fuzz/run.sh [--seconds N] [TARGET…]" >&2
      exit 64
      ;;
    *)
      targets+=("$1")
      shift
      ;;
  esac
done
if [[ ${#targets[@]} -eq 0 ]]; then
  for source in tests/fuzz/*_fuzz.cc; do targets+=("$(basename "$source" _fuzz.cc)"); done
fi

if ! command -v clang++-19 >/dev/null; then
  echo "SKIP: no clang++-19 (tests/install-deps.sh test)"
  echo "0 passed, 0 failed, ${#targets[@]} skipped"
  exit 0
fi
options=(-Dfuzz=true -Dtests=false -Dtool=false -Dcompiler=false -Dbench=false -Dsystemd=disabled -Dbuildtype=debug
  -Doptimization=1 -Dcpp_args=-g1 -Dunity=on -Dunity_size=8 '-Db_sanitize=address,undefined' -Db_lundef=false)
if [[ -e $build/build.ninja ]]; then
  meson setup --reconfigure "$build" "${options[@]}"
else
  CXX=clang++-19 meson setup "$build" "${options[@]}"
fi && ninja -C "$build" fuzz || exit 1

fuzz() { # TARGET
  local corpus=$build/corpus/$1 arguments=()
  mkdir -p "$corpus" "$build/findings"
  if [[ -e tests/fuzz/$1.dict ]]; then arguments+=("-dict=tests/fuzz/$1.dict"); fi
  # The seeds themselves are run, too. The memory limit finds what grows with the input of a peer.
  "$build/tests/fuzz/$1_fuzz" "${arguments[@]}" -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=4096 -print_final_stats=1 \
    -artifact_prefix="$build/findings/$1-" "$corpus" "tests/fuzz/seeds/$1" \
    >"$build/fuzz-$1.log" 2>&1
}

run() { # TARGET; writes its exit status to a file
  fuzz "$1"
  echo $? >"$build/fuzz-$1.status"
}

for target in "${targets[@]}"; do
  while [[ $(jobs -pr | wc -l) -ge $at_once ]]; do wait -n; done
  run "$target" &
done
wait

passed=0
failed=0
for target in "${targets[@]}"; do
  log=$build/fuzz-$target.log
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  covered=$(grep -o ' cov: [0-9]*' "$log" | tail -n 1)
  if [[ $(<"$build/fuzz-$target.status") -eq 0 && ${runs:-0} -gt 0 ]]; then
    passed=$((passed + 1))
    echo "$target: $runs runs,${covered}"
  else
    failed=$((failed + 1))
    echo "FAIL: $target, see build-fuzz/findings"
    tail -n 60 "$log"
  fi
done
echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
