#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# `meson install` runs this: config/install.sh FILE DIRECTORY
# The script creates DIRECTORY/conf.d, and copies the default configuration FILE to DIRECTORY unless
# a file of that name exists there.
set -eu

directory=${DESTDIR-}$2
file=$directory/${1##*/}
mkdir -p "$directory/conf.d"
if [ -e "$file" ]; then
  echo "$file exists and is not replaced"
else
  install -m 644 "$1" "$file"
fi
