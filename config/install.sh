#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Called by `meson install`: config/install.sh FILE FOLDER
# Puts the default configuration there, unless somebody has one already, and makes the directory for
# files beside it.
set -eu

folder=${DESTDIR-}$2
file=$folder/${1##*/}
mkdir -p "$folder/conf.d"
if [ -e "$file" ]; then
  echo "$file stays as it is"
else
  install -m 644 "$1" "$file"
fi
