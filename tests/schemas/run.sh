#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Generates and compiles the schemas that ttrpc is used with: tests/schemas/run.sh [--build DIR]
# [--full]
#
# containerd's API, NRI and Kubernetes' CRI come from the Go modules that go.mod pins; Go fetches
# and verifies them. Those of protos/ are our own: some have the form of Kata's and gRPC's, and
# hard.proto has names that are macros. The plugin must report each name that does not compile, and
# the ways that protoc-gen-cpp-ttrpc(1) describes must avoid it. A program serves and calls some of
# the services.
#
# All sources are compiled by g++ as gnu++20, which CMake chooses, and some by clang++ and in other
# dialects; --full compiles all of them each time. DIR (default: build) must be built. The last line
# is `N passed, N failed, N skipped`; the exit status is 0 only if none failed.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
full=false
while (($#)); do
  case $1 in
    --build) build=$(realpath "${2:?}") && shift ;;
    --full) full=true ;;
    *) echo "usage: tests/schemas/run.sh [--build DIR] [--full]" >&2 && exit 64 ;;
  esac
  shift
done

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# shellcheck source=tests/support/checks.sh
. "$top/tests/support/checks.sh"
# shellcheck source=tests/support/versions.sh
. "$top/tests/support/versions.sh"

skip_all() {
  echo "SKIP all: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

command -v go >/dev/null || skip_all "no go"
have=$(GOTOOLCHAIN=local go_version)
at_least 1.21 "$have" || skip_all "Go is $have, the modules need 1.21"

readonly warnings=(-Wall -Wextra -Werror)
readonly man=$top/man/protoc-gen-cpp-ttrpc.1
readonly protos=$work/protos made=$work/made

# way_out DIRECTORY WORD runs the command with this word from the manual.
way_out() (
  command=$(sed -n "/^sed .*$2/{s/\\\\e/\\\\/g;p}" "$man")
  if [[ -z $command ]]; then echo "no command for $2 in the manual" && return 1; fi
  cd "$1" && eval "$command"
)

# The schemas of all modules have one root, so that no two files have the same name. Go keeps its
# files read-only.
download() (
  local module
  mkdir "$work/module" "$protos" && cd "$work/module" || return
  cp "$top"/tests/schemas/go.{mod,sum} . || return
  export GOTOOLCHAIN=local GOFLAGS=-mod=mod
  while read -r module; do
    go mod download "$module" || return # this form reports errors
    folder=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
    case $module in
      */containerd/api@*) cp -r "$folder"/{types,services,runtime,events} "$protos" ;;
      */nri@*) cp -r "$folder/pkg/api" "$protos/nri" ;;
      */cri-api@*) cp -r "$folder/pkg/apis/runtime/v1" "$protos/cri" ;;
    esac || return
  done < <(sed -n 's/^\t\(.*\) \(v[0-9.]*\)$/\1@\2/p' go.mod)
  cp -r "$top"/tests/schemas/protos/* "$protos" && chmod -R u+w "$protos" || return
  way_out "$protos/cri" debug_redact || return
  {
    printf '\n// This line ends in a trigraph??/\n// This line turns the text after it: \xE2\x80\xAE\n'
    printf 'service Names {\n  rpc EOF(File) returns (File);\n}\n'
  } >>"$protos/hard.proto"
)

# generate DIRECTORY PARAMETER FILE… writes into a directory of $work.
generate() (
  local out=$work/$1 parameter=$2
  mkdir -p "$out" && cd "$protos" || return
  protoc "--plugin=protoc-gen-cpp-ttrpc=$build/libttrpc/compiler/protoc-gen-cpp-ttrpc" -I . \
    --cpp_out="$out" --cpp-ttrpc_out="$parameter$out" "${@:3}" 2>"$work/said"
)

# refuses FILE NAME… compares the names in the errors, in the order in which the plugin prints them.
refuses() {
  if generate refused "" "$1"; then
    echo "$1 is not refused" && return 1
  fi
  cat "$work/said"
  same "the names" "${*:2}" \
    "$(sed -nE 's/.*: error: [a-z ]+ [A-Za-z0-9_.]+: ([A-Za-z0-9_]+) .*/\1/p' "$work/said" |
      tr '\n' ' ' | sed 's/ $//')"
}

names_of_nri() {
  refuses nri/api.proto SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO SCHED_IDLE \
    SCHED_DEADLINE || return
  local line
  line=$(sed -n '/ SCHED_RR = /=' "$protos/nri/api.proto")
  has "the place" "nri/api.proto:$line:3: error: " "$(<"$work/said")"
}

names_of_introspection() {
  refuses services/introspection/v1/introspection.proto requires
}

# These compile as -std=c++20, so they are generated.
warns_of_linux() {
  local file fields
  for file in cri/api.proto kata/oci.proto; do
    generate plain "" "$file" || return
    fields=$(grep -ciE '^ +linux[a-z]* linux = ' "$protos/$file")
    same "the warnings about $file" "$fields" \
      "$(grep -c ': linux is a macro in -std=gnu++20; ' "$work/said")" || return
  done
}

# The compiler agrees with the plugin on each name that is refused.
compiler_agrees() {
  local file name
  mkdir "$work/agree"
  protoc -I "$protos" --cpp_out="$work/agree" nri/api.proto google/rpc/status.proto \
    types/{introspection,platform}.proto services/introspection/v1/introspection.proto || return
  for file in nri/api services/introspection/v1/introspection; do
    if g++ -std=c++20 -fsyntax-only -I "$work/agree" "$work/agree/$file.pb.cc" \
      >"$work/errors" 2>&1; then
      echo "$file compiles" && return 1
    fi
    for name in SCHED_OTHER requires; do
      if grep -q "$name" "$work/agree/$file.pb.h"; then
        has "the errors" "$name" "$(<"$work/errors")" || return
      fi
    done
  done
}

all_generate() (
  local files
  cd "$protos" && way_out services/introspection/v1 requires || return
  mapfile -t files < <(find . -name '*.proto' -printf '%P\n' | sort)
  if [[ ${#files[@]} -lt 40 ]]; then echo "only ${files[*]}" && return 1; fi
  generate made macros=undef: "${files[@]}" || { cat "$work/said" && return 1; }
  same "said" "" "$(grep -v ': warning: Import .* is unused' "$work/said")"
)

# The headers that generated code includes are compiled once for each compiler and dialect.
prepare_headers() { # COMPILER DIALECT
  local folder=$work/$1-$2 end=gch
  [[ $1 == g++ ]] || end=pch
  mkdir -p "$folder" || return
  if [[ -e $folder/all.h.$end ]]; then return; fi
  {
    grep -rhE '^#include <(google/protobuf/[^.]*\.h|ttrpc/.*|[a-z]*)>' "$made" | sort -u
  } >"$folder/all.h"
  "$1" "-std=$2" "${warnings[@]}" -I "$top/libttrpc/include" -x c++-header "$folder/all.h" \
    -o "$folder/all.h.$end"
}

# compile COMPILER DIALECT ARGUMENT… reads the rest of the arguments from lines of standard input,
# each for one run.
compile() {
  xargs -P "$(nproc)" -L 1 "$1" "-std=$2" "${warnings[@]}" -include "$work/$1-$2/all.h" \
    -I "$top/libttrpc/include" -I "$made" "${@:3}"
}

# The program consists of these.
readonly parts=(cri/api grpc/health hard kata/agent kata/oci nri/api
  services/introspection/v1/introspection services/streaming/v1/streaming
  services/ttrpc/events/v1/events types/event types/fieldpath types/introspection types/platform
  google/rpc/status)

# Objects are made only of the parts of the program.
all_compile() { # COMPILER DIALECT
  local source objects others part
  prepare_headers "$1" "$2" || return
  while read -r source; do
    part=${source%.*.cc}
    if [[ " ${parts[*]} " == *" $part "* ]]; then
      objects+="$made/$source -o $work/$1-$2/${source//\//_}.o"$'\n'
    else
      others+=$made/$source$'\n'
    fi
  done < <(find "$made" -name '*.cc' -printf '%P\n')
  compile "$1" "$2" -fsyntax-only <<<"$others" && compile "$1" "$2" -c <<<"$objects"
}

calls() { # COMPILER DIALECT
  local folder=$work/$1-$2
  compile "$1" "$2" -c <<<"$top/tests/schemas/calls.cc -o $folder/calls.o" &&
    "$1" -o "$folder/calls" "$folder"/*.o "$build/libttrpc/libttrpc.a" -lprotobuf -levent_core \
      -pthread && "$folder/calls" "unix://$work/calls.sock"
}

some_compile() { # COMPILER DIALECT
  prepare_headers "$1" "$2" &&
    printf '%s.cc\n' "$made"/{{cri,nri}/api.ttrpc,hard.{pb,ttrpc},kata/oci.pb} \
      "$made"/services/introspection/v1/introspection.{pb,ttrpc} | compile "$1" "$2" -fsyntax-only
}

# The headers before these could define macros, or hide that one is missing.
compile_alone() { # COMPILER DIALECT
  local source
  for source in hard.pb hard.ttrpc; do
    "$1" "-std=$2" "${warnings[@]}" -fsyntax-only -I "$top/libttrpc/include" -I "$made" \
      "$made/$source.cc" || return
  done
}

compiles_without_undef() {
  generate plain "" cri/api.proto &&
    g++ -std=c++20 "${warnings[@]}" -fsyntax-only -I "$top/libttrpc/include" -I "$work/plain" \
      "$work/plain/cri/api.ttrpc.cc"
}

check "schemas of containerd, NRI and CRI" download
if [[ $failed -eq 0 ]]; then
  check "names of NRI are reported" names_of_nri
  check "names of containerd are reported" names_of_introspection
  check "linux is a warning" warns_of_linux
  check "g++ does not compile what is reported" compiler_agrees
  check "all generate as the manual describes" all_generate
fi
if [[ $failed -eq 0 ]]; then
  check "CRI compiles without macros=undef, g++ c++20" compiles_without_undef
  for compiler in g++ clang++-19; do
    for dialect in gnu++20 c++20 c++23; do
      where="$compiler $dialect"
      if $full || [[ $where == "g++ gnu++20" ]]; then
        check "all compile, $where" all_compile "$compiler" "$dialect"
        check "hard names compile alone, $where" compile_alone "$compiler" "$dialect"
        check "calls, $where" calls "$compiler" "$dialect"
      elif [[ $where == "clang++-19 c++23" ]]; then
        check "some compile, $where" some_compile "$compiler" "$dialect"
      fi
    done
  done
fi

conclude
