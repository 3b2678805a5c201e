#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The metrics as Prometheus sees them: tests/metrics/run.sh [--build DIR]
#
# Debian's prometheus scrapes the daemon of DIR (default: build; it must be built) while
# ttrpc-bench-load calls through it; what it then has is compared with what the load generator
# counted, exactly. promtool reads /metrics, curl all the rest, over loopback and over a Unix socket.
# The last line is `N passed, N failed, N skipped`; the exit status is 0 only if none failed. Needs
# root: the clients are other users.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
if [[ ${1-} == --build ]]; then build=$(realpath "$2"); fi
exec python3 "$top/tests/metrics/metrics_test.py" "$build"
