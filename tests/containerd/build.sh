#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds the containerd 2.x of the tests: tests/containerd/build.sh [DIR]
#
# It makes `containerd`, `ctr`, `containerd-shim-runc-v2` and `pods` in DIR/bin (default:
# ./build-containerd) from the Go modules that pods/go.mod pins. Go fetches and verifies them. The
# first build takes four minutes on two processors. After that, the script does nothing until the
# sources, the pins or Go change. If this machine cannot build them, the exit status is 77 and the
# last line has the reason. Every other failure is an error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/../../build-containerd}
mkdir -p "$out"
out=$(cd "$out" && pwd)
readonly module=github.com/containerd/containerd/v2
readonly programs=(containerd ctr containerd-shim-runc-v2)
# Go must not fetch another Go, whatever the modules ask for.
export GOTOOLCHAIN=local GOFLAGS='-mod=mod -buildvcs=false'

cannot() {
  echo "$*"
  exit 77
}

# shellcheck source=tests/support/versions.sh
. "$here/../support/versions.sh"

command -v go >/dev/null || cannot "no go"
have=$(go_version)
# An older Go cannot even read the modules that newer ones have written.
at_least 1.21 "$have" || cannot "Go is $have, containerd 2.4 needs a newer one"

stamp="$have $(cat "$here/build.sh" "$here"/pods/* | sha256sum | cut -d ' ' -f 1)"
if [[ -x $out/bin/pods && $(cat "$out/stamp" 2>/dev/null) == "$stamp" ]]; then exit 0; fi

# The build is made in a copy, because Go adds the versions of all other modules to go.mod.
rm -rf "${out:?}"/{source,bin,stamp}
mkdir "$out/source" "$out/bin"
cp "$here"/pods/* "$out/source"
cd "$out/source"

# A released containerd names the oldest Go that can build it.
release=$module@$(sed -n "s|^require $module ||p" go.mod)
go mod download "$release" # this form reports errors
modfile=$(go mod download -json "$release" | sed -n 's/^\t"GoMod": "\(.*\)",*$/\1/p')
wanted=$(sed -n 's/^go //p' "$modfile")
at_least "$wanted" "$have" || cannot "Go is $have, containerd 2.4 needs $wanted"
go mod edit -go="$wanted"

# These snapshotters need libraries or kernels that the tests do not have.
tags=no_btrfs,no_devmapper,no_zfs,no_aufs
nice -n 10 go build -tags "$tags" -o "$out/bin/" "${programs[@]/#/$module/cmd/}" .
echo "$stamp" >"$out/stamp"
"$out/bin/containerd" --version
