#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The status page in a browser: tests/status/run.sh [--build DIR] [--shots FOLDER]
#
# Headless Chromium looks at the page of the daemon of DIR (default: build; it must be built) under
# load, with calls among it that are denied or fail, on a wide screen and a phone, dark and light; then
# the daemon drains, ends, and is started again. Screenshots go to FOLDER (default:
# build-logs/status). The last line is `N passed, N failed, N skipped`; the exit status is 0 only if
# none failed. Needs root: the clients are other users.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
shots=$top/build-logs/status
while [[ $# -gt 0 ]]; do
  case $1 in
    --build) build=$(realpath "$2") ;;
    --shots) shots=$2 ;;
    *)
      echo "usage: tests/status/run.sh [--build DIR] [--shots FOLDER]" >&2
      exit 64
      ;;
  esac
  shift 2
done
exec python3 "$top/tests/status/page_test.py" "$build" "$shots"
