#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What can be said of the sources without running them: tests/lint.sh [--tidy] [BUILD]
# --tidy: with clang-tidy, which takes a quarter of an hour. BUILD (default: build) is a folder that
# was built: clang-tidy reads its compile_commands.json, and the headers that are generated there.
# Counts each check once; the last line is `N passed, N failed, N skipped`.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
with_tidy=false
if [[ ${1-} == --tidy ]]; then with_tidy=true && shift; fi
build=$(realpath "${1:-$top/build}")
cd "$top" || exit 1

# A clone may belong to somebody else than root, as whom the tests run; git then wants to be told.
tracked() { git -c safe.directory="$top" ls-files -- "$@"; }

format() {
  tracked '*.cc' '*.h' | xargs -d '\n' -r clang-format-14 --dry-run -Werror
}

# Each tracked file that the build compiles, one process for each core. What the programs are made of
# goes through the static analyzer, too; on GoogleTest's macros that takes four times as long as all
# the other checks together, and finds nothing there that a failing test would not.
tidy() {
  local compiled status=0
  compiled=$(python3 - "$build/compile_commands.json" <<'PYTHON'
import json, os, sys
for entry in json.load(open(sys.argv[1])):
    print(os.path.relpath(os.path.join(entry["directory"], entry["file"])))
PYTHON
  ) || return
  compiled=$(comm -12 <(tracked '*.cc' | sort) <(sort -u <<<"$compiled"))
  grep -v '^tests/' <<<"$compiled" | tidy_files || status=1
  grep '^tests/' <<<"$compiled" | tidy_files '--checks=-clang-analyzer-*' || status=1
  return "$status"
}

# g++'s precompiled headers are none to clang, which has to find their sources instead.
tidy_files() { # OPTION…; files on standard input
  xargs -d '\n' -r -n 1 -P "$(nproc)" clang-tidy-14 -p "$build" --quiet \
    "--extra-arg=-I$top/tests/support/pch" "$@" 2>&1 |
    sed '/^[0-9]* warnings generated\.$/d' # those of system headers, which it does not show
}

scripts() {
  { tracked '*.sh' '*.bash' systemd/debian/ttrpc-proxy.{install,prerm,postrm} && echo .ci/run; } |
    xargs -d '\n' shellcheck
}

# Pages that ours name may not be installed here.
man_pages() {
  local complaints
  complaints=$(tracked 'man/*.[1-8]' | xargs -d '\n' -r mandoc -T lint 2>&1 |
    grep -vE 'referenced manual not found|outdated mandoc\.db')
  [[ -z $complaints ]] || { echo "$complaints" && return 1; }
}

passed=0
failed=0
# check NAME COMMAND…
check() {
  local name=$1
  shift
  if "$@"; then
    echo "lint: $name: passed"
    passed=$((passed + 1))
  else
    echo "lint: $name: FAILED"
    failed=$((failed + 1))
  fi
}

check clang-format format
if $with_tidy; then check clang-tidy tidy; fi
check shellcheck scripts
check man man_pages
check layers "$top/tests/layers.sh"

echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
