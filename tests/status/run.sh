#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the status page in a browser: tests/status/run.sh [--build DIR] [--shots DIR]
#
# Headless Chromium shows the page of the daemon of --build (default: build; it must be built). The
# daemon is under load, with calls that are denied or fail. The page is shown on a wide screen and
# on a phone, dark and light. Then the daemon drains, ends, and is started again. Screenshots are
# written to --shots (default: build-logs/status). The last line is `N passed, N failed, N skipped`;
# the exit status is 0 only if none failed. Needs root, since the clients are other users.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
shots=$top/build-logs/status
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$(realpath "$2") ;;
    --shots) shots=$2 ;;
    *)
      echo "usage: tests/status/run.sh [--build DIR] [--shots DIR]" >&2
      exit 64
      ;;
  esac
  shift 2
done
exec python3 "$top/tests/status/page_test.py" "$build" "$shots"
