#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the sources to the shape they are meant to have: tests/layers.sh [TREE]
# Prints FILE:LINE: WHAT for each violation; exits 1 if there is any.
#
#  - Includes point one way: libttrpc <- libttrpc/text <- config <- policy, limits, observe <- proxy <-
#    admin, http <- run <- main.cc, from config on in daemon/. Policy, limits and observe do not
#    include each other, nor do admin and http. The sandbox includes config only, and run includes
#    it. libttrpc includes nothing of the daemon, its public headers nothing but public ones (and
#    those outside ttrpc/wire/ none in it), and the daemon of libttrpc only those and text, which the
#    daemon, ctl and libttrpc/tool share. daemon/ctl, a program of its own, may include config,
#    policy, libttrpc/tool and what is generated from admin.proto. Project headers are spelled from
#    libttrpc/include, from daemon/ and with text/, never by a relative path.
#  - Codec, envelopes, addresses, stream state, the checks of a request, policy and configuration
#    include neither socket nor libevent headers, nor the headers of libttrpc that do. The address
#    may include those that say what a socket address looks like.
#  - Policy is a function of values: it uses no clock, lock, atomic or thread, and includes no header
#    but those of the C++ library, of the configuration and of libttrpc.
#  - libevent is included in a few named files.
#  - No lambda captures by [=]. shared_ptr holds what is const, a snapshot; elsewhere only where a
#    library asks for it.
#  - Every source has an SPDX line at its top and at most 500 lines.
#  - daemon/sandbox includes no other folder of the daemon but config.
#  - CONTRIBUTING.md lists each directory of daemon/ and libttrpc/.
#
# layers.awk begins with the lists of the files that a rule holds for, and of those that it excepts.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$tools/..}"

# Without git (a release, the trees of layers_test.sh) whatever stands in the source folders.
all_files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null && return
  find meson.build .ci daemon libttrpc tests -type f -not -path '*/target/*' 2>/dev/null || true
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
status=0
LC_ALL=C awk -f "$tools/layers.awk" "${files[@]}" || status=1

# CONTRIBUTING.md is the map of the sources for people who are new here.
folders=$(printf '%s\n' "${files[@]}" | sed -nE 's#^((daemon|libttrpc)/[^/]+/).*#\1#p' | sort -u)
map=CONTRIBUTING.md
for folder in $folders; do
  grep -qE "^    $folder  +[^ ]" "$map" && continue
  echo "$map:1: does not list $folder"
  status=1
done
exit "$status"
