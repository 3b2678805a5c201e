#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Called by `meson install`: config/install.sh FILE FOLDER
# Puts the default configuration there, unless somebody has one already.
set -eu

folder=${DESTDIR-}$2
file=$folder/${1##*/}
if [ -e "$file" ]; then
  echo "$file stays as it is"
else
  mkdir -p "$folder"
  install -m 644 "$1" "$file"
fi
