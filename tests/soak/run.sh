#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the daemon under load, faults and change:
# tests/soak/run.sh [--build BUILD] [--clients BUILD] [--seconds N] [OPTION…]
#
# 2,000 connections of 20 users make calls of all kinds (small and large, streams in each direction,
# with deadlines, never answered) through the ttrpc-proxyd of BUILD to three backends, one of which
# the peers of a user share. Meanwhile clients leave with calls in flight, read slowly, or stop
# reading for a while. Backends are killed and restarted, cut connections, and stop reading. SIGHUP
# comes every second, with a good file, a bad one, the other good one, and so on.
#
# Each message is checked byte by byte at both ends. A call without the answer that it asked for
# must have a known cause: its backend was down or had cut its connection (which the backends record
# before they do it), it had a deadline, a limit was reached, or its connection was closed. Any
# other outcome is wrong or lost, and fails the test.
#
# The test also fails if the peak of resident memory in the second half is more than 25 % and 2 MiB
# above that in the first, if more than 16 MiB remain when all clients have gone, or, in a test of
# less than 300 seconds, if the peak exceeds 192 MiB. It fails if a descriptor remains when all
# clients have gone, and if the exit status after SIGTERM is not 0.
#
# The report is on standard output; its last line is `N passed, N failed, N skipped`. --clients
# names another build for clients and backends, which would be late themselves in a slow build.
# Options are passed to ttrpc-soak, whose --help lists them: --seed repeats the random choices,
# though not their times. Needs root, since the clients are other users.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
clients=
options=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --build)
      build=${2:?}
      shift 2
      ;;
    --clients)
      clients=${2:?}
      shift 2
      ;;
    *)
      options+=("$1")
      shift
      ;;
  esac
done
ninja -C "$build" daemon/ttrpc-proxyd >&2
ninja -C "${clients:=$build}" tests/soak/ttrpc-soak >&2
# A sanitizer keeps freed memory, and makes the daemon several times slower. Under more load than it
# can carry, time-outs end calls, and the clients report these.
if ! meson introspect "$build" --buildoptions | grep -q '"b_sanitize", "value": "none"'; then
  options+=(--no-memory-check --lost-after 30 --rate 600)
fi
exec "$clients/tests/soak/ttrpc-soak" --daemon "$build/daemon/ttrpc-proxyd" "${options[@]}"
