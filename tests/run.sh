#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs everything that must pass before a change is merged: tests/run.sh [--full]
#
# It installs what is missing and builds (./build, and with sanitizers ./build-asan). It runs the
# unit tests with sanitizers, the integration tests, the peers of tests/interop, a program outside
# the tree with the installed library, the schemas of other projects, the units under a systemd, the
# shims of two versions of containerd, the status page in a browser, the metrics in Prometheus, the
# daemon under load, faults and change, several loops under ThreadSanitizer, the fuzz targets and
# the lint steps. --full loads and fuzzes for longer. It adds the unit tests without sanitizers,
# upstream's peers among themselves, the Debian packages on Debian 12 and 13, the daemon under load
# and in the integration tests with sanitizers and with ThreadSanitizer, clang-tidy and the tables
# of tests/bench. Needs root, since tests connect as other users.
#
# Each step prints one line and writes its output to build-logs; the end of a failed step's output
# is shown. The last line is `N passed, N failed, N skipped` over all steps, and the exit status is
# 0 only if none failed.
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

# prepare NAME COMMAND… runs a step that tests nothing by itself, so that only its failure counts.
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

# run NAME COMMAND… writes the output to a log, and the exit status and the seconds beside it.
run() {
  local log=$logs/${1// /-}.log start=$SECONDS status=0
  shift
  "$@" >"$log" 2>&1 </dev/null || status=$?
  echo "$status $((SECONDS - start))" >"$log.status"
}

# tally NAME counts a step that was run and whose last line is `N passed, N failed, N skipped`. The
# step counts as one failure if it has no such line, if all numbers are 0, or if its exit status
# contradicts the line.
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

# once NAME COMMAND… runs a step that counts as one test, by its exit status.
once() {
  if prepare "$@"; then passed=$((passed + 1)); fi
}

# compile DIRECTORY OPTION… [-- TARGET…] sets up a build directory or updates its options, then
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

# integration NAME BUILD OPTION… runs the tests against the programs of BUILD. The test program is
# that of the plain build: a sanitized one takes long to compile and finds nothing in the daemon.
integration() {
  count "$1 integration" tests/tools/run_tests.py "$build" "$logs/$1-integration" \
    --only tests/integration --subjects "$2" "${@:3}"
}

mkdir -p "$logs"
if $full; then packages="full"; else packages="test"; fi

if prepare "packages" tests/install-deps.sh "$packages"; then
  # A debugger needs only line numbers in the tests, and -g1 takes a fifth less time. In unity
  # builds, g++ reports the anonymous namespaces of coroutines, and moved values, by mistake.
  # clang-tidy does not know these warnings, and reads the options of the other build.
  if $full; then
    unity=off plain_args="['-g1']"
  else
    unity=on plain_args="['-g1', '-Wno-subobject-linkage', '-Wno-maybe-uninitialized']"
  fi
  if prepare "build" compile "$build" -Dwerror=true -Dtls_example=true \
    -Dcpp_args="$plain_args" -Dunit_tests="$full" -Dunity="$unity" -Dunity_size=8; then
    if $full; then unit plain "$build"; fi
    integration plain "$build"
    # clang-tidy takes long, so it gets the time that no other step uses.
    if $full; then
      run "lint" chrt --idle 0 tests/lint.sh --tidy "$build" &
      tidy=$!
    fi
    # These steps wait for each other and for the network as often as they work, so they run in
    # parallel with the next steps.
    (
      run "interop" tests/interop/run.sh --build "$build"
      if $full; then rows=all; else rows=cpp; fi
      run "interop direct" tests/interop/run.sh --build "$build" --direct --rows "$rows"
      run "install" tests/install/run.sh --build "$build"
      # The compilers must not delay the daemon under load.
      if $full; then matrix=(--full); else matrix=(); fi
      run "schemas" nice -n 10 tests/schemas/run.sh --build "$build" "${matrix[@]}"
      run "systemd" tests/systemd/run.sh --build "$build"
      for version in 1.6 2.4; do
        run "containerd $version" tests/containerd/run.sh --build "$build" "$version"
      done
      run "status page" tests/status/run.sh --build "$build" --shots "$logs/status"
      run "metrics" tests/metrics/run.sh --build "$build"
    ) &
    beside=$!
    if $full; then soak_seconds=600; else soak_seconds=60; fi
    count "soak" tests/soak/run.sh --build "$build" --seconds "$soak_seconds"
  fi
  # The other compiler finds other mistakes, and takes a sixth of g++'s time. It also warns about
  # g++'s own library, so there is no werror. Unity builds save time, most of which would go into
  # headers.
  if CXX=clang++-19 prepare "build sanitized" compile "$sanitized" -Dbuildtype=debug \
    -Db_sanitize=address,undefined -Db_lundef=false -Dbench=false -Dtls_example=true \
    -Dcpp_args=-g1 -Dintegration_tests=false -Dunity=on -Dunity_size=8; then
    unit sanitized "$sanitized" --sanitized
    if $full; then
      integration sanitized "$sanitized" --sanitized
      count "soak sanitized" tests/soak/run.sh --build "$sanitized" --clients "$build" --seconds 180
    fi
  fi
  # These tests run several loops in several threads. --full adds the daemon with all its threads.
  thread_tests=(tests/libttrpc/troubles_tests tests/daemon/accounting_tests)
  if $full; then thread_tests+=(tests/daemon/discovery_tests); fi
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
  # The packages are built and tested in parallel with the fuzz targets, which measure no time. A
  # soak test on a busy machine would report calls that only the machine has delayed.
  if $full; then
    {
      run "package" tests/package/run.sh
      run "package trixie" tests/package/run.sh --release trixie
    } &
    packaging=$!
  fi
  # The default time is enough to find what is near the seeds; --full continues for longer.
  if $full; then fuzz_seconds=60; else fuzz_seconds=5; fi
  count "fuzz" tests/fuzz/run.sh --seconds "$fuzz_seconds"
  if $full; then
    wait "$packaging"
    tally "package"
    tally "package trixie"
  fi
  if [[ -n $beside ]]; then
    wait "$beside"
    for name in "interop" "interop direct" "install" "schemas" "systemd" "containerd 1.6" \
      "containerd 2.4" "status page" "metrics"; do
      tally "$name"
    done
    if $full; then
      wait "$tidy"
      tally "lint"
    else
      count "lint" tests/lint.sh "$build"
    fi
  fi
  if $full; then
    # The benchmarks have a build of their own, optimized as a distribution would do it.
    prepare "bench" tests/bench/run.sh && cat "$logs/bench.log"
    prepare "bench library" tests/bench/run.sh --library && cat "$logs/bench-library.log"
    prepare "bench fairness" tests/bench/run.sh --fairness && cat "$logs/bench-fairness.log"
    prepare "bench reload" tests/bench/run.sh --reload && cat "$logs/bench-reload.log"
  fi
fi

echo "$passed passed, $failed failed, $skipped skipped"
[[ $failed -eq 0 ]]
