#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks that libttrpc.so exports exactly what exports.txt lists: exports_test.sh LIBRARY
#
# Removing a line from exports.txt breaks programs that are linked with the library; adding one is a
# promise to keep. The list has one demangled name per line, in the order of `LC_ALL=C sort -u`.
# Functions that compilers may or may not inline are hidden, so that the list does not depend on
# them.
set -euo pipefail
export LC_ALL=C

list=$(dirname "${BASH_SOURCE[0]}")/exports.txt
# Drops the kind of each symbol, its value and its size.
exported() { nm -DC --defined-only --format=posix "$1" | sed -E 's/ [A-Za-z]( [0-9a-f]+){1,2}$//' | sort -u; }

if ! diff <(grep -v '^#' "$list") <(exported "$1"); then
  echo "<: of exports.txt, not exported by $1; >: exported, not in exports.txt" >&2
  exit 1
fi
