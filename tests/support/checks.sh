# SPDX-License-Identifier: Apache-2.0
#
# This file counts what a test script checks, in the form that tests/run.sh reads. It is to be
# sourced by a script that has a directory $work for its log.
# shellcheck shell=bash

passed=0
failed=0

# check NAME COMMAND… runs one test. If the command fails, its output is shown.
check() {
  local name=$1
  shift
  # shellcheck disable=SC2154
  if "$@" >"$work/log" 2>&1; then
    echo "PASS $name"
    passed=$((passed + 1))
  else
    echo "FAIL $name"
    tail -n 60 "$work/log" | sed 's/^/    /'
    failed=$((failed + 1))
  fi
}

same() { # WHAT WANTED HAVE
  [[ $2 == "$3" ]] || { echo "$1: expected '$2', not '$3'" && return 1; }
}

has() { # WHAT WANTED HAVE
  [[ $3 == *"$2"* ]] || { echo "$1: expected '$2' in '$3'" && return 1; }
}

# conclude prints the last line of the script, and returns its exit status.
conclude() {
  echo "$passed passed, $failed failed, 0 skipped"
  [[ $failed -eq 0 ]]
}
