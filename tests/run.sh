#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Everything that must pass before a change lands: tests/run.sh [--full]
#
# Installs what is missing, builds (./build, and with sanitizers ./build-asan), runs the unit tests
# with sanitizers and the integration tests on both builds, the peers of tests/interop, a program
# outside the tree with the installed library, the units under a systemd, the status page in a
# browser, the metrics in Prometheus, the daemon under load, faults and change, several loops under
# ThreadSanitizer, the fuzz targets and the lint steps. --full loads and fuzzes for longer, and adds
# the unit tests without sanitizers, upstream's peers among themselves, the Debian packages on Debian
# 12 and 13, the daemon under ThreadSanitizer, clang-tidy and the tables of tests/bench.
# Needs root: tests connect as other users.
#
# One line for each step, its output in build-logs; what failed is shown. The last line is
# `N passed, N failed, N skipped` over all steps, and the exit status is 0 only if none failed.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1

full=false
case ${1-} in
  '') ;;
  --full) full=true ;;
  *)
    echo "usage: tests/run.sh [--full]" >&2
    exit 64
    ;;
esac
if [[ $(id -u) -ne 0 ]]; then
  echo "tests/run.sh: must be root: the tests connect as other users" >&2
  exit 1
fi

readonly build=$top/build sanitized=$top/build-asan threads=$top/build-tsan logs=$top/build-logs
readonly tail_lines=80
passed=0
failed=0
skipped=0
beside=

report() { printf '%-24s %5ds  %s\n' "$1" "$2" "$3"; }

show_failure() { # LOG
  echo "--- the end of ${1#"$top"/}"
  { grep -a '^FAIL' "$1"; tail -n "$tail_lines" "$1"; } | sed 's/^/    /'
  echo "---"
}

# prepare NAME COMMAND…: a step that tests nothing by itself; only its failure counts.
prepare() {
  local name=$1 log=$logs/${1// /-}.log start=$SECONDS
  shift
  if "$@" >"$log" 2>&1 </dev/null; then
    report "$name" $((SECONDS - start)) "done"
    return 0
  fi
  failed=$((failed + 1))
  report "$name" $((SECONDS - start)) "FAILED"
  show_failure "$log"
  return 1
}

# run NAME COMMAND…: into its log, with its exit status and its seconds beside it.
run() {
  local log=$logs/${1// /-}.log start=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  echo "$status $((SECONDS - start))" >"$log.status"
}

# tally NAME: what was run, a step whose last line is `N passed, N failed, N skipped`. Without that
# line, with all numbers 0, or with an exit status that contradicts it, it counts as one failure.
tally() {
  local name=$1 log=$logs/${1// /-}.log status seconds last p f s
  read -r status seconds <"$log.status"
  last=$(tail -n 1 "$log")
  if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
    p=${BASH_REMATCH[1]} f=${BASH_REMATCH[2]} s=${BASH_REMATCH[3]}
    if [[ $f -eq 0 && ($status -ne 0 || $((p + s)) -eq 0) ]]; then f=1; fi
  else
    p=0 f=1 s=0
  fi
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  report "$name" "$seconds" "$p passed, $f failed, $s skipped"
  if [[ $s -gt 0 ]]; then grep -a '^SKIP' "$log" | sed 's/^/    /'; fi
  if [[ $f -gt 0 ]]; then show_failure "$log"; fi
}

count() { # NAME COMMAND…
  run "$@"
  tally "$1"
}

# once NAME COMMAND…: a step that is one test, by its exit status.
once() {
  if prepare "$@"; then passed=$((passed + 1)); fi
}

# compile FOLDER OPTION… [-- TARGET…]: sets the folder up or brings its options up to date, then
# builds the targets, or all.
compile() {
  local folder=$1 options=()
  shift
  while [[ $# -gt 0 && $1 != -- ]]; do options+=("$1") && shift; done
  if [[ -e $folder/build.ninja ]]; then
    meson setup --reconfigure "$folder" "${options[@]}"
  else
    meson setup "$folder" "${options[@]}"
  fi && ninja -C "$folder" "${@:2}"
}

unit() { # NAME BUILD OPTION…
  count "$1 unit" tests/tools/run_tests.py "$2" "$logs/$1-unit" --except tests/integration "${@:3}"
}

# integration NAME BUILD OPTION…: the test program comes from the plain build; to compile it with
# sanitizers would take long and find nothing in the daemon.
integration() {
  count "$1 integration" tests/tools/run_tests.py "$build" "$logs/$1-integration" \
    --only tests/integration --subjects "$2" "${@:3}"
}

mkdir -p "$logs"
if $full; then packages="full"; else packages="test"; fi

if prepare "packages" tests/install-deps.sh "$packages"; then
  # Line numbers are all that a test's debugger needs, and take a fifth less time.
  if prepare "build" compile "$build" -Dwerror=true -Dtls_example=true -Dcpp_args=-g1 \
    -Dbench="$full" -Dunit_tests="$full"; then
    if $full; then unit plain "$build"; fi
    integration plain "$build"
    # They wait for each other and for the network as often as they work: beside what comes next. So
    # does clang-tidy, which takes long.
    (
      run "interop" tests/interop/run.sh --build "$build"
      if $full; then rows=all; else rows=cpp; fi
      run "interop direct" tests/interop/run.sh --build "$build" --direct --rows "$rows"
      run "install" tests/install/run.sh --build "$build"
      run "systemd" tests/systemd/run.sh --build "$build"
      run "status page" tests/status/run.sh --build "$build" --shots "$logs/status"
      run "metrics" tests/metrics/run.sh --build "$build"
      if $full; then
        run "package" tests/package/run.sh
        run "package trixie" tests/package/run.sh --release trixie
      fi
      if $full; then run "lint" nice -n 19 tests/lint.sh --tidy "$build"; fi
    ) &
    beside=$!
    if $full; then soak_seconds=600; else soak_seconds=60; fi
    count "soak" tests/soak/run.sh --build "$build" --seconds "$soak_seconds"
  fi
  # By the other compiler, which reads the code with other eyes, and takes a sixth of g++'s time. No
  # werror: it also warns of g++'s own library. Several sources at once, since most of the time would
  # go into their headers.
  if CXX=clang++-19 prepare "build sanitized" compile "$sanitized" -Dbuildtype=debug \
    -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false -Dtls_example=true \
    -Dcpp_args=-g1 -Dintegration_tests=false -Dunity=on -Dunity_size=8; then
    unit sanitized "$sanitized" --sanitized
    integration sanitized "$sanitized" --sanitized
    if $full; then count "soak sanitized" tests/soak/run.sh --build "$sanitized" \
      --clients "$build" --seconds 180; fi
  fi
  # Several loops in several threads; --full: the daemon, too, with all its threads.
  thread_tests=(tests/libttrpc/troubles_tests tests/daemon/accounting_tests)
  thread_targets=("${thread_tests[@]}")
  if $full; then
    thread_targets+=(daemon/ttrpc-proxyd daemon/ttrpc-proxyctl libttrpc/tool/ttrpc)
  fi
  if CXX=clang++-19 prepare "build threads" compile "$threads" -Dbuildtype=debug \
    -Db_sanitize=thread -Db_lundef=false -Dbench=false -Dcpp_args=-g1 -Dunity=on -Dunity_size=8 \
    -- "${thread_targets[@]}"; then
    for test in "${thread_tests[@]}"; do
      once "threads $(basename "$test")" env TSAN_OPTIONS=halt_on_error=1 "$threads/$test"
    done
    if $full; then
      integration threads "$threads" --sanitized
      count "threads soak" tests/soak/run.sh --build "$threads" --clients "$build" --seconds 60
    fi
  fi
  # As long as it takes to run into what is near the seeds; --full goes on for longer.
  if $full; then fuzz_seconds=60; else fuzz_seconds=10; fi
  count "fuzz" tests/fuzz/run.sh --seconds "$fuzz_seconds"
  if [[ -n $beside ]]; then
    wait "$beside"
    for name in "interop" "interop direct" "install" "systemd" "status page" "metrics"; do
      tally "$name"
    done
    if $full; then tally "package"; tally "package trixie"; fi
    if $full; then tally "lint"; else count "lint" tests/lint.sh "$build"; fi
  fi
  if $full; then
    # In a build of its own, optimized as a distribution would.
    prepare "bench" tests/bench/run.sh && cat "$logs/bench.log"
    prepare "bench library" tests/bench/run.sh --library && cat "$logs/bench-library.log"
    prepare "bench fairness" tests/bench/run.sh --fairness && cat "$logs/bench-fairness.log"
    prepare "bench reload" tests/bench/run.sh --reload && cat "$logs/bench-reload.log"
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
