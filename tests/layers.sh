#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the sources to the shape they are meant to have: tests/layers.sh [TREE]
# Prints FILE:LINE: WHAT for each violation; exits 1 if there is any.
#
#  - Includes point one way: libttrpc <- text <- daemon/config <- policy <- limits <- observe <-
#    proxy <- admin <- http <- sandbox <- run <- main.cc. libttrpc includes nothing of the daemon,
#    its public headers nothing but public ones, and the daemon of libttrpc only those. daemon/ctl,
#    a program of its own, may include config, policy, libttrpc/tool and what is generated from
#    admin.proto. text is what the daemon, ctl and libttrpc/tool share. Project headers are spelled
#    from libttrpc/include, from daemon/ and with text/, never by a relative path.
#  - Codec, envelopes, addresses, stream state, policy and configuration include neither socket nor
#    libevent headers, nor the headers of libttrpc that do. The address may include those that say
#    what a socket address looks like.
#  - libevent is included in a few named files.
#  - No lambda captures by [=]. shared_ptr holds what is const, a snapshot; elsewhere only where a
#    library asks for it.
#  - Every source has an SPDX line at its top and at most 500 lines.
#
# The lists of names stand at the top of layers.awk. There are no exceptions to them.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$tools/..}"

# Without git (a release, the trees of layers_test.sh) whatever stands in the source folders.
all_files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null && return
  find meson.build .ci daemon libttrpc text tests -type f -not -path '*/target/*' 2>/dev/null || true
}

is_source() {
  case "$1" in
    *.cc | *.h | *.proto | *.sh | *.awk | *.py | *.go | *.rs | meson.build | */meson.build) ;;
    .ci/run) ;;
    *) return 1 ;;
  esac
}

files=()
while IFS= read -r file; do
  if is_source "$file" && [[ -f $file ]]; then files+=("$file"); fi
done < <(all_files)

if [[ ${#files[@]} -eq 0 ]]; then
  echo "no sources in $PWD" >&2
  exit 1
fi
LC_ALL=C awk -f "$tools/layers.awk" "${files[@]}"
