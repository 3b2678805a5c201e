#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the library benchmark: installs what is missing (as root), builds, measures, and prints
# tables. `run.sh --help` lists the options; ../README.md explains the tables.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
bench=$(cd "$here/.." && pwd)
root=$(cd "$bench/../.." && pwd)

# This script only needs --build; library_bench.py reads all options.
build=$root/build-bench
previous=
for word in "$@"; do
  case $word in
    --build=*) build=${word#--build=} ;;
    -h | --help) exec python3 "$bench/library_bench.py" --help ;;
  esac
  [ "$previous" != --build ] || build=$word
  previous=$word
done

rust_wanted=1.85
rust_is_there() {
  command -v cargo >/dev/null || return 1
  version=$(cargo --version | sed 's/^cargo \([0-9.]*\).*/\1/')
  [ "$(printf '%s\n%s\n' "$rust_wanted" "$version" | sort -V | head -n 1)" = "$rust_wanted" ]
}

install() {
  [ "$(id -u)" -eq 0 ] || return 1
  apt-get update -q >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
}

install_missing() {
  packages=
  command -v go >/dev/null || packages="$packages golang-go"
  command -v protoc >/dev/null || packages="$packages protobuf-compiler"
  command -v grpc_cpp_plugin >/dev/null || packages="$packages protobuf-compiler-grpc"
  pkg-config --exists grpc++ || packages="$packages libgrpc++-dev"
  # shellcheck disable=SC2086
  [ -z "$packages" ] || install $packages
  # Debian 12's package `cargo` is too old, but cargo-web, which builds its browsers, is not.
  rust_is_there || install cargo-web || install cargo || true
  rust_is_there || {
    echo "run.sh: no cargo of at least $rust_wanted" >&2
    exit 1
  }
}

# The sources are copied, since generated files do not belong into the tree.
build_go() {
  folder=$build/library/go
  # The newest ttrpc needs a newer Go than Debian 12 has. A Go from 1.21 on fetches a newer one
  # itself.
  modules=go.mod
  case $(go env GOVERSION) in
    go1.19* | go1.20*) modules=go-1.19.mod ;;
  esac
  mkdir -p "$folder"
  cp "$here"/go/*.go "$here"/go/*.mod "$here"/go/*.sum "$folder"
  (
    cd "$folder"
    export GOFLAGS="-mod=readonly -buildvcs=false -modfile=$modules" PATH="$folder/bin:$PATH"
    go build -o bin/ github.com/containerd/ttrpc/cmd/protoc-gen-go-ttrpc \
      google.golang.org/protobuf/cmd/protoc-gen-go
    protoc -I "$here" --go_out=. --go_opt=module=bench --go-ttrpc_out=. \
      --go-ttrpc_opt=module=bench echo.proto
    CGO_ENABLED=0 go build -trimpath -o ttrpc-bench-go .
  ) >&2
}

build_rust() {
  (cd "$here/rust" && CARGO_TARGET_DIR=$build/library/rust cargo build --locked --release --quiet) >&2
}

install_missing
if [ ! -d "$build" ]; then
  # A distribution builds with these options, and so were the other libraries built.
  meson setup "$build" "$root" --buildtype=release -Db_lto=true -Dtests=false -Dbench=true >&2
fi
build=$(cd "$build" && pwd)
# Setting the options again makes one known that did not exist when the directory was set up.
meson setup --reconfigure "$build" "$root" -Dbench_grpc=true >&2
programs=tests/bench/library/ttrpc-bench
ninja -C "$build" tests/bench/ttrpc-bench-load tests/bench/ttrpc-bench-echo \
  $programs-server $programs-server-static $programs-client $programs-grpc $programs-grpc-load >&2
build_go
build_rust

exec python3 -B "$bench/library_bench.py" "$@" --build "$build"
