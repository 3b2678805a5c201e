# SPDX-License-Identifier: Apache-2.0
#
# To be sourced: how a test script counts what it checks, in the way that tests/run.sh reads. The
# script has a folder $work for its log.
# shellcheck shell=bash

passed=0
failed=0

# check NAME COMMAND…: one test; what the command printed is shown if it fails.
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

# The last line of the script, and its exit status.
conclude() {
  echo "$passed passed, $failed failed, 0 skipped"
  [[ $failed -eq 0 ]]
}
