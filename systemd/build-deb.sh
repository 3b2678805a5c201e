#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# systemd/build-deb.sh [DIRECTORY] builds the Debian packages.
#
# They are left in DIRECTORY (default: build-deb), whose former contents are deleted. The script
# builds a copy of the sources, because Debian requires a directory `debian` at the top.
# DEB_BUILD_OPTIONS has its usual meaning (nocheck, parallel=N). The script needs the packages that
# `tests/install-deps.sh package` installs.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=$(realpath -m "${1:-$top/build-deb}")
sources=$directory/sources

rm -rf "$directory"
mkdir -p "$sources"
# The copy has the files of the working tree, committed or not, without those of builds.
(cd "$top" && tar -c --exclude-vcs --exclude='./build*' --exclude=__pycache__ \
  --exclude=./tests/interop/rust/target .) | tar -x -C "$sources" --no-same-owner
cp -a "$sources/systemd/debian" "$sources/debian"
export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-parallel=$(nproc)}
# debhelper sets another home directory, where the compiler's cache is not found.
if command -v ccache >/dev/null; then
  CCACHE_DIR=$(ccache --get-config cache_dir)
  export CCACHE_DIR
fi
profiles=()
if [[ " $DEB_BUILD_OPTIONS " == *" nocheck "* ]]; then profiles=(--build-profiles=nocheck); fi
(cd "$sources" && dpkg-buildpackage --build=binary --no-sign "${profiles[@]}")
