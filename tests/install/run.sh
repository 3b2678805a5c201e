#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the installed library as its users have it: tests/install/run.sh [--build DIR]
#
# It installs DIR (default: build; it must be built) below a temporary directory. Outside the tree
# it builds the greeter of libttrpc/examples with the installed generator and the flags of
# pkg-config, in a CMake project, and in a meson project that has this tree as its subproject. It
# runs both ends. It also builds and runs the code of libttrpc/README.md, with the commands there. The
# last line is `N passed, N failed, N skipped`; the exit status is 0 only if none failed.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
if [[ ${1-} == --build ]]; then build=$(realpath "$2"); fi

work=$(mktemp -d)
# Stops a server that `greets` has left running.
finish() {
  if [[ -n ${server-} ]]; then kill "$server" 2>/dev/null; fi
  rm -rf "$work"
}
trap finish EXIT

# shellcheck source=tests/support/checks.sh
. "$top/tests/support/checks.sh"

option() { # NAME prints a built-in option of the build, as a path below $root
  meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}

root=$work/root
prefix=$(option prefix)
libdir=$root$prefix/$(option libdir)
headers=$root$prefix/$(option includedir)/ttrpc
bin=$root$prefix/$(option bindir)

install_all() { meson install -C "$build" --no-rebuild --destdir "$root"; }

shared_library() {
  same "libttrpc.so" libttrpc.so.0 "$(readlink "$libdir/libttrpc.so")" &&
    same "libttrpc.so.0" "libttrpc.so.$(version)" "$(readlink "$libdir/libttrpc.so.0")" &&
    same SONAME libttrpc.so.0 \
      "$(readelf -d "$libdir/libttrpc.so" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')"
}

version() { pkgconfig --modversion libttrpc; }

# The library exports the names in tests/libttrpc/exports.txt, and none that templates leave behind.
symbols() { "$top/tests/libttrpc/exports_test.sh" "$libdir/libttrpc.so"; }

# Each header can be included alone, outside the tree.
each_header() (
  local flags header
  mkdir "$work/headers" && cd "$work/headers" || return
  while read -r header; do
    echo "#include <ttrpc/$header>" >"${header//\//_}.cc"
  done < <(cd "$headers" && find . -name '*.h' -printf '%P\n')
  read -ra flags <<<"$(pkgconfig --cflags libttrpc)"
  printf '%s\n' *.cc |
    xargs -n 1 -P "$(nproc)" c++ -std=c++20 -Wall -Wextra -Werror "${flags[@]}" -fsyntax-only
)

all_headers() { diff -r "$top/libttrpc/include/ttrpc" "$headers"; }

man_pages() {
  local page
  for page in man3/libttrpc.3 man1/protoc-gen-cpp-ttrpc.1 man1/ttrpc.1; do
    cmp "$top/man/${page#*/}" "$root$prefix/$(option mandir)/$page" || return
  done
}

# An installation keeps an existing configuration.
configuration() {
  local file
  file=$root$(realpath -m "$prefix/$(option sysconfdir)")/ttrpc-proxy/config.toml
  cmp "$top/config/config.toml" "$file" && [[ -d ${file%/*}/conf.d ]] || return
  echo '# mine' >"$file"
  install_all && same "the file" '# mine' "$(<"$file")"
}

# Each shell completes every option that --help shows, and no other.
completions() {
  local share program command wanted
  share=$root$prefix/$(option datadir)
  for program in ttrpc-proxyd ttrpc; do
    command=$bin/$program
    [[ -x $command ]] || command=$root$prefix/$(option sbindir)/$program
    wanted=$({ "$command" --help && if [[ $program == ttrpc ]]; then
      "$command" call --help && "$command" list --help; fi; } | long_options)
    same "bash, $program" "$wanted" \
      "$(long_options <"$share/bash-completion/completions/$program")" &&
      same "zsh, $program" "$wanted" "$(long_options <"$share/zsh/site-functions/_$program")" &&
      same "fish, $program" "$wanted" \
        "$(sed -n 's/^complete .* -l \([a-z-]*\) .*/--\1/p' \
          "$share/fish/vendor_completions.d/$program.fish" | sort -u)" ||
      return
  done
}
long_options() { grep -oE -- '--[a-z][a-z-]+' | sort -u; }

# offers WANTED WORD… checks what bash completes at the end of a line. compopt exists only while a
# shell completes.
offers() {
  # shellcheck disable=SC2016
  same "after '${*:2}'" "$1" "$(PATH=$bin:$PATH bash -c '
    compopt() { :; }
    . "$0/$1"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    "_${1//-/_}"
    echo "${COMPREPLY[*]}"' "$root$prefix/$(option datadir)/bash-completion/completions" "${@:2}")"
}

bash_completes() {
  local schema=(--proto greeter.proto -I "$top/libttrpc/examples")
  offers "--config --check" ttrpc-proxyd --c && offers "warn" ttrpc-proxyd --log-level w &&
    offers "call" ttrpc c && offers "unix: unix-abstract:" ttrpc call u &&
    offers "$top/libttrpc/examples/greeter.proto" ttrpc list --proto \
      "$top/libttrpc/examples/greeter.p" &&
    offers "example.Greeter" ttrpc list "${schema[@]}" ex &&
    offers "example.Greeter/SayHello" ttrpc call "${schema[@]}" unix : ///run/x.sock \
      example.Greeter/SayH
}

pkgconfig() {
  PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@"
}

# These programs use only the flags of `pkg-config libttrpc`, with the lite runtime of protobuf.
generate() (
  mkdir "$work/greeter" && cd "$work/greeter" || return
  cp "$top"/libttrpc/examples/greeter* . && echo 'option optimize_for = LITE_RUNTIME;' >>greeter.proto
  PATH=$bin:$PATH protoc --cpp_out=. --cpp-ttrpc_out=. greeter.proto || return
  local flags
  read -ra flags <<<"$(pkgconfig --cflags libttrpc)"
  printf '%s.cc\n' greeter.pb greeter.ttrpc greeter_server greeter_client |
    xargs -n 1 -P "$(nproc)" c++ -std=c++20 -Wall -Wextra -Werror "${flags[@]}" -c
)

link_all() ( # DIRECTORY ARGUMENT…
  local folder=$work/greeter/$1 program
  shift
  mkdir "$folder" && cd "$work/greeter" || return
  for program in greeter_server greeter_client; do
    c++ -o "$folder/$program" "$program.o" greeter.ttrpc.o greeter.pb.o "$@" || return
  done
)

link_shared() {
  local flags
  read -ra flags <<<"$(pkgconfig --libs libttrpc)"
  link_all shared "${flags[@]}" "-Wl,-rpath,$libdir" || return
  ldd "$work/greeter/shared/greeter_server" >"$work/ldd" || return
  cat "$work/ldd"
  grep -qF "$libdir/libttrpc.so.0" "$work/ldd" && ! grep -q 'libprotobuf\.so' "$work/ldd"
}

link_static() {
  local flags
  read -ra flags <<<"$(pkgconfig --static --libs libttrpc)"
  link_all static "${flags[@]/#-lttrpc/-l:libttrpc.a}" || return
  ! ldd "$work/greeter/static/greeter_server" | grep libttrpc
}

# A program may call libevent with the flags of the library alone.
links_libevent() {
  local flags
  read -ra flags <<<"$(pkgconfig --cflags --libs libttrpc)"
  printf '%s\n' '#include <event2/event.h>' '#include <ttrpc/event_loop.h>' 'int main() {' \
    '  ttrpc::EventLoop loop;' \
    '  event_free(event_new(loop.base(), 15, EV_SIGNAL, [](int, short, void*) {}, nullptr));' \
    '}' >"$work/libevent.cc"
  c++ -std=c++20 -o "$work/libevent" "$work/libevent.cc" "${flags[@]}" "-Wl,-rpath,$libdir" &&
    "$work/libevent"
}

# program NAME prints the program that libttrpc(3) shows as NAME.cc.
program() {
  awk -v name="$1.cc" '
    /^\.Ss / { here = $2 == name }
    /^\.Ed/ { inside = 0 }
    here && inside { gsub(/\\e/, "\\"); print }
    /^\.Bd / { inside = 1 }
  ' "$top/man/libttrpc.3"
}

# These programs are built as a reader would do it, with full protobuf.
man_programs() (
  mkdir "$work/man" && cd "$work/man" && cp "$top/libttrpc/examples/greeter.proto" . || return
  PATH=$bin:$PATH protoc --cpp_out=. --cpp-ttrpc_out=. greeter.proto || return
  local flags name
  read -ra flags <<<"$(pkgconfig --cflags --libs libttrpc protobuf)"
  for name in server client; do program "$name" >"$name.cc"; done
  printf '%s.cc\n' server client greeter.pb greeter.ttrpc |
    xargs -n 1 -P "$(nproc)" c++ -std=c++20 -Wall -Wextra -Werror "${flags[@]}" -c || return
  for name in server client; do
    c++ -o "$name" "$name.o" greeter.pb.o greeter.ttrpc.o "${flags[@]}" "-Wl,-rpath,$libdir" || return
  done
)

# The files that the library's README shows, built and run with its commands, in a directory whose
# name has a space.
page=$top/libttrpc/README.md
readme_files() {
  mkdir "$work/the page" &&
    "$top/tests/install/readme.py" extract "$page" "$top/libttrpc/examples" "$work/the page"
}
as_reader() { # ARGUMENT… runs readme.py in the environment of a reader who has installed everything
  PATH=$bin:$PATH CMAKE_PREFIX_PATH=$root$prefix PKG_CONFIG_PATH=$libdir/pkgconfig \
    PKG_CONFIG_SYSROOT_DIR=$root LD_LIBRARY_PATH=$libdir \
    "$top/tests/install/readme.py" "$1" "$page" "$work/the page" "${@:2}"
}
readme_meson() (
  cd "$work/the page" && PATH=$bin:$PATH PKG_CONFIG_PATH=$libdir/pkgconfig \
    PKG_CONFIG_SYSROOT_DIR=$root meson setup out && ninja -C out
)

# README.md shows what `explain` prints for its configuration. The user and the group in it need not
# exist here.
readme_explains() {
  local config=$work/shims.toml method printed
  awk '/^```/ { inside = /toml$/; next } inside' "$top/README.md" |
    sed 's/"monitoring"/"991"/' >"$config"
  method=$(sed -n 's/^# ttrpc-proxyctl explain --user prometheus --method //p' "$top/README.md")
  printed=$("$bin/ttrpc-proxyctl" explain --config "$config" --user 990 --group 990 \
    --groups 990,991 --method "$method" | sed 's/uid 990 ([^)]*),/uid 990,/') || return
  printed=${printed//"$config"//etc/ttrpc-proxy/conf.d/shims.toml}
  same "explain" \
    "$(awk '/^```/ { inside = 0 } inside; /^# ttrpc-proxyctl explain/ { inside = 1 }' \
      "$top/README.md" | sed 's/uid 990 ([a-z]*),/uid 990,/')" \
    "$printed"
}

# greets SERVER CLIENT runs both programs, and the client calls the server.
greets() {
  local address=unix://$work/greeter.sock line status=0
  exec 3< <(exec "$1" "$address")
  server=$!
  read -r -t 30 line <&3
  same "the server's line" ready "$line" &&
    same "the reply" "Hello, World!" "$("$2" "$address" World 2>&1)" &&
    same "the error" "INVALID_ARGUMENT: nobody to greet" "$("$2" "$address" "" 2>&1)" &&
    same "the tool's reply" '{"message":"Hello, tool!"}' \
      "$("$bin/ttrpc" call "$address" example.Greeter/SayHello -d '{"name":"tool"}' --compact \
        --proto greeter.proto -I "$top/libttrpc/examples" 2>&1)" || status=1
  kill "$server"
  server=
  exec 3<&-
  rm -f "$work/greeter.sock" "$work/greeter.sock.lock"
  return "$status"
}

# The build finds neither an installed library nor an installed generator, so it makes its own.
subproject() (
  cp -r "$top/tests/install/subproject" "$work/project" &&
    cp "$top"/libttrpc/examples/greeter* "$work/project" && mkdir "$work/project/subprojects" &&
    ln -s "$top" "$work/project/subprojects/ttrpc-proxy" || return
  cd "$work/project" || return
  # The directory differs from run to run; without this option ccache would compile again.
  export CCACHE_NOHASHDIR=1
  meson setup out --wrap-mode=forcefallback -Dbuildtype=plain && ninja -C out
)

check "installs" install_all
check "library for sharing" shared_library
check "symbols of the library" symbols
check "headers, all of them" all_headers
check "headers, each on its own" each_header
check "man pages" man_pages
check "configuration" configuration
check "completions know all options" completions
check "bash completes" bash_completes
check "code generated and compiled outside the tree" generate
check "links with the shared library, and with little else" link_shared
check "links with the static library" link_static
check "links with what a program needs of libevent" links_libevent
check "greets, shared" greets "$work/greeter/shared/greeter_server" \
  "$work/greeter/shared/greeter_client"
check "greets, static and shared" greets "$work/greeter/static/greeter_server" \
  "$work/greeter/shared/greeter_client"
check "programs of the man page" man_programs
check "greets, programs of the man page" greets "$work/man/server" "$work/man/client"
check "files of libttrpc/README.md" readme_files
check "libttrpc/README.md, CMake" as_reader sh "cmake -B"
check "libttrpc/README.md, transcript" as_reader console "$work/kv.sock"
check "libttrpc/README.md, pkg-config" as_reader sh "protoc "
check "libttrpc/README.md, meson" readme_meson
check "explain in README.md" readme_explains
# shellcheck source=tests/install/cmake.sh
. "$top/tests/install/cmake.sh"
check "builds as a subproject" subproject
check "greets, subproject" greets "$work/project/out/greeter_server" \
  "$work/project/out/greeter_client"

conclude
