#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks the sources without running them: tests/lint.sh [--tidy] [BUILD]
# --tidy adds clang-tidy, which takes a quarter of an hour. It reads compile_commands.json and the
# generated headers in BUILD (default: build), a build directory that must be up to date.
# Each check counts once; the last line is `N passed, N failed, N skipped`.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
with_tidy=false
if [[ ${1-} == --tidy ]]; then with_tidy=true && shift; fi
build=$(realpath "${1:-$top/build}")
cd "$top" || exit 1

# Tests run as root, and the clone may belong to another user. git refuses it without this setting.
tracked() { git -c safe.directory="$top" ls-files -- "$@"; }

format() {
  tracked '*.cc' '*.h' | xargs -d '\n' -r clang-format-14 --dry-run -Werror
}

# clang-tidy reads each tracked file that the build compiles, in one process for each core. Only the
# programs' own sources go through its static analyzer: on GoogleTest's macros it takes four times
# as long as all the other checks together, and finds nothing that a failing test would not.
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

# clang cannot read g++'s precompiled headers, so it gets the directory of their sources.
tidy_files() { # OPTION…; files on standard input
  xargs -d '\n' -r -n 1 -P "$(nproc)" clang-tidy-14 -p "$build" --quiet \
    "--extra-arg=-I$top/tests/support/pch" "$@" 2>&1 |
    sed '/^[0-9]* warnings generated\.$/d' # warnings in system headers are not shown
}

scripts() {
  { tracked '*.sh' '*.bash' systemd/debian/ttrpc-proxy.{install,prerm,postrm} && echo .ci/run; } |
    xargs -d '\n' shellcheck
}

# mandoc also reports pages that ours refer to and that are not installed here.
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
check prose "$top/tests/tools/check_prose.py"

echo "$passed passed, $failed failed, 0 skipped"
[[ $failed -eq 0 ]]
