#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Checks the structure of the sources: tests/layers.sh [TREE]
# Prints FILE:LINE: WHAT for each violation, and exits 1 if there is one. These are the rules:
#
#  - Includes point one way: libttrpc <- libttrpc/text <- config <- policy, limits, observe, discovery
#    <- proxy <- admin, http <- run <- main.cc; all from config on are in daemon/. Policy, limits,
#    observe and discovery do not include each other, nor do admin and http. The sandbox includes only config, and only
#    run and main.cc include the sandbox.
#  - libttrpc includes nothing of the daemon. Its public headers include only public headers, and
#    those outside ttrpc/wire/ include none inside it. The daemon includes only public headers of
#    libttrpc, and text, which the daemon, ctl and libttrpc/tool share.
#  - daemon/ctl is a program of its own. It may include config, policy, libttrpc/tool and the code
#    that is generated from admin.proto.
#  - The path of a project header begins at libttrpc/include or daemon/, or with text/, and is never
#    relative.
#  - Codec, envelopes, addresses, stream state, the checks of a request, policy and configuration
#    include neither socket nor libevent headers, nor the headers of libttrpc that do. The address
#    may include the headers that define socket addresses.
#  - Public headers of libttrpc do not include headers of sockets or <sys/stat.h>. Their macros, such
#    as AF_INET, are names in .proto files.
#  - Policy is a function of values: it uses no clock, lock, atomic or thread, and includes only
#    headers of the C++ library, of the configuration and of libttrpc.
#  - Only a few named files include libevent.
#  - No lambda captures by [=]. A shared_ptr holds a const snapshot, except where a library needs
#    another one.
#  - Every source has an SPDX line at its top and at most 500 lines.
#  - CONTRIBUTING.md lists each directory of daemon/ and libttrpc/.
#
# layers.awk begins with the lists of the files to which a rule applies, and of the exceptions.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$tools/..}"

# Without git, as in a release or a tree of layers_test.sh, all files below these directories count.
all_files() {
  git -c safe.directory='*' ls-files --cached --others --exclude-standard 2>/dev/null && return
  find meson.build .ci daemon libttrpc tests -type f -not -path '*/target/*' 2>/dev/null || true
}

is_source() {
  case "$1" in
    *.cc | *.h | *.proto | *.sh | *.awk | *.py | *.go | *.rs | meson.build | */meson.build) ;;
    *.cmake | *.cmake.in | */CMakeLists.txt) ;;
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
