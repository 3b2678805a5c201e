#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the metrics with Prometheus: tests/metrics/run.sh [--build DIR]
#
# Debian's prometheus scrapes the daemon of DIR (default: build; it must be built) while
# ttrpc-bench-load calls through it. The samples must be exactly what the load generator counted.
# promtool reads /metrics, and curl everything else, over the loopback and over a Unix socket. The
# last line is `N passed, N failed, N skipped`; the exit status is 0 only if none failed. Needs
# root, since the clients are other users.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
if [[ ${1-} == --build ]]; then build=$(realpath "$2"); fi
exec python3 "$top/tests/metrics/metrics_test.py" "$build"
