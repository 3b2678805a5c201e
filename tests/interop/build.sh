# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Builds the peers in $out. It finds or installs the toolchains, fetches the pinned libraries and
# generators with their own tools, and does not change the source tree. If a toolchain is not
# available, missing[KIND] has the reason; every other failure is an error.

# run.sh sets `here`, `build` and `out`, and reads what is declared here.
# shellcheck disable=SC2034,SC2154
declare -A peer=() missing=() version=()
# The examples of ttrpc-rust are three pairs. The word after the dash is the suite of both ends.
example_kinds=(example-sync example-async example-stream)

# Installs only the packages that are needed, and only when they are.
install_packages() {
	[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || return 1
	echo "installing $*"
	{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
		>"$out/apt.log" 2>&1
}

have() { command -v "$1" >/dev/null; }

# shellcheck source=tests/support/versions.sh
. "$here/../support/versions.sh"

cargo_version() { cargo --version | sed 's/^cargo \([0-9.]*\).*/\1/'; }

# Hashes the inputs of a build, so that an up-to-date build is not repeated.
fingerprint() { cat "$@" | sha256sum | cut -d ' ' -f 1; }

# build_go KIND SOURCES TAG builds a copy of the sources with the module file of that release.
build_go() {
	local kind=$1 sources=$here/go/$2 tag=$3 folder=$out/$1-$3 stamp
	stamp="$(go_version) $(fingerprint "$here"/go/*.go "$sources"/*.go "$sources/$tag".* "$here"/proto/*.proto)"
	peer[$kind]=$folder/peer
	version[$kind]=$tag
	if [[ -x $folder/peer && $(cat "$folder/stamp" 2>/dev/null) == "$stamp" ]]; then
		return
	fi
	rm -rf "$folder"
	mkdir -p "$folder/echo" "$folder/bin"
	cp "$here"/go/*.go "$sources"/*.go "$folder"
	cp "$sources/$tag.mod" "$folder/go.mod"
	cp "$sources/$tag.sum" "$folder/go.sum"
	(
		cd "$folder" || exit
		export GOFLAGS='-mod=readonly -buildvcs=false' GOTOOLCHAIN=local PATH=$folder/bin:$PATH
		local ttrpc=github.com/containerd/ttrpc/cmd
		if [[ $2 == ttrpc12 ]]; then
			go build -o bin/ $ttrpc/protoc-gen-go-ttrpc google.golang.org/protobuf/cmd/protoc-gen-go
			protoc -I "$here/proto" --go_out=. --go_opt=module=interop --go-ttrpc_out=. \
				--go-ttrpc_opt=module=interop echo.proto streams.proto
		else
			go build -o bin/ $ttrpc/protoc-gen-gogottrpc
			protoc -I "$here/proto" --gogottrpc_out=plugins=ttrpc,paths=source_relative:echo echo.proto
		fi
		go build -o peer .
	)
	echo "$stamp" >"$folder/stamp"
}

# meson builds our own peer together with everything else.
find_cpp() {
	peer[cpp]=$build/tests/interop/cpp/interop-peer
	[[ -x ${peer[cpp]} ]] || missing[cpp]="no ${peer[cpp]}"
	version[cpp]=ours
}

build_all_go() {
	have go || install_packages golang-go || true
	have protoc || install_packages protobuf-compiler || true
	local tool
	for tool in go protoc; do
		if ! have $tool; then
			missing[go12]="no $tool" missing[go11]="no $tool"
			return
		fi
	done
	local tag=v1.2.10
	at_least 1.25 "$(go_version)" || tag=v1.2.7
	build_go go12 ttrpc12 $tag
	build_go go11 ttrpc11 v1.1.2
	echo "Go $(go_version): ttrpc ${version[go12]} (go12) and ${version[go11]} (go11)"
}

build_rust() {
	local wanted=1.85
	if ! have cargo || ! at_least $wanted "$(cargo_version)"; then
		# Debian 12's package `cargo` is too old, but cargo-web, which builds its browsers, is not.
		install_packages cargo-web || install_packages cargo || true
	fi
	if ! have cargo || ! at_least $wanted "$(cargo_version)"; then
		local kind
		for kind in rust-async rust-sync "${example_kinds[@]}"; do missing[$kind]="no cargo of at least $wanted"; done
		return
	fi
	(cd "$here/rust" && CARGO_TARGET_DIR=$out/rust cargo build --locked --quiet)
	peer[rust-async]=$out/rust/debug/rust-async
	peer[rust-sync]=$out/rust/debug/rust-sync
	local kind
	for kind in "${example_kinds[@]}"; do peer[$kind]=$out/rust/debug/rust-examples; done
	echo "cargo $(cargo_version): ttrpc $(sed -n '/^name = "ttrpc"$/{n;s/.*"\(.*\)"/\1/p}' "$here/rust/Cargo.lock") (rust-async, rust-sync)"
}
