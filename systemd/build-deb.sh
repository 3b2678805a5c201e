#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the Debian packages: systemd/build-deb.sh [FOLDER]
#
# Leaves them in FOLDER, build-deb by default, which is made new. Debian wants its files in a folder
# `debian` on top of the sources: what is built is a copy. DEB_BUILD_OPTIONS counts as usual: nocheck,
# parallel=N. Needs what tests/install-deps.sh package installs.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(realpath -m "${1:-$top/build-deb}")
sources=$folder/sources

rm -rf "$folder"
mkdir -p "$sources"
# As it stands in the folder, with what is not committed, but without what was built.
(cd "$top" && tar -c --exclude-vcs --exclude='./build*' --exclude=__pycache__ \
  --exclude=./tests/interop/rust/target .) | tar -x -C "$sources" --no-same-owner
cp -a "$sources/systemd/debian" "$sources/debian"
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-parallel=$(nproc)}
# debhelper gives the build a home folder of its own, without the compiler's cache.
if command -v ccache >/dev/null; then
  CCACHE_DIR=$(ccache --get-config cache_dir)
  export CCACHE_DIR
fi
profiles=()
if [[ " $DEB_BUILD_OPTIONS " == *" nocheck "* ]]; then profiles=(--build-profiles=nocheck); fi
(cd "$sources" && dpkg-buildpackage --build=binary --no-sign "${profiles[@]}")
