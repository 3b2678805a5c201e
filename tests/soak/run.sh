#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The daemon under load, faults and change:
#   tests/soak/run.sh [--build BUILD] [--clients BUILD] [--seconds N] [OPTION…]
#
# 2,000 connections of 20 users make calls of all kinds (small and large, streams in each direction,
# with deadlines, never answered) through the ttrpc-proxyd of BUILD to three backends, one of which
# the peers of a user share. Meanwhile clients leave with calls in flight, read slowly, or not at all
# for a while; backends are killed and restarted, cut connections, and do not read; SIGHUP comes
# every second, with a good file, a bad one, the other good one, and so on. Each message is checked
# byte by byte at both ends. A call that is not answered as it asks must be accounted for: its backend
# was down or had cut its connection (which the backends say before they do it), it had a deadline, a
# limit was reached, its connection was closed. Everything else is wrong or lost, and fails the test.
# So does resident memory whose peak in the second half is more than 25 % and 2 MiB above that in the
# first, or of which more than 16 MiB stay when all have gone, or that, in less than 300 seconds, is
# ever above 192 MiB; a descriptor that is left when all have gone; any exit status but 0 after
# SIGTERM.
#
# The report is on standard output; its last line is `N passed, N failed, N skipped`. Clients and
# backends are those of another build, if one is named: in a slow one they are late themselves.
# Options go to ttrpc-soak, whose --help lists them: --seed repeats what was left to chance, though
# not when it happens. Needs root: the clients are other users.
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
# A sanitizer holds memory back on purpose, and takes its time.
if ! meson introspect "$build" --buildoptions | grep -q '"b_sanitize", "value": "none"'; then
  options+=(--no-memory-check --lost-after 15)
fi
exec "$clients/tests/soak/ttrpc-soak" --daemon "$build/daemon/ttrpc-proxyd" "${options[@]}"
