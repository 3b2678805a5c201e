#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the Debian packages, from the build to the purge:
# tests/package/run.sh [--release CODENAME] [--packages DIR]
#
# It makes a Debian with debootstrap, of the same release as this one or of CODENAME. It builds the
# packages (or takes those in DIR): here, or, for another release, in a copy of that Debian, where
# the compiler may not warn. It boots the Debian (tests/systemd/machine.sh), installs the packages
# there, uses them, upgrades them while a connection is open, and purges them. In another copy it
# runs tests/demo.sh. It needs a network for the packages that ours depend on. The last line is `N
# passed, N failed, N skipped`; the exit status is 0 only if none failed.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
packages=
# shellcheck source=/dev/null
own_release=$(. /etc/os-release && echo "$VERSION_CODENAME")
release=$own_release
while [[ $# -gt 0 ]]; do
  case $1 in
    --packages) packages=$(realpath "$2") ;;
    --release) release=$2 ;;
    *)
      echo "usage: tests/package/run.sh [--release CODENAME] [--packages DIR]" >&2
      exit 64
      ;;
  esac
  shift 2
done
# shellcheck source=tests/systemd/machine.sh
. "$top/tests/systemd/machine.sh"

skip() {
  echo "SKIP all: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}
problem=$(machine_problem)
[[ -z $problem ]] || skip "$problem"

work=$(mktemp -d)
chmod 755 "$work"
peers=()
finish() {
  local pid
  for pid in "${peers[@]}"; do kill "$pid" 2>/dev/null; done
  machine_stop
  rm -rf --one-file-system "$work"
}
trap finish EXIT
trap 'exit 1' TERM INT HUP

# shellcheck source=tests/support/checks.sh
. "$top/tests/support/checks.sh"

readonly unit=ttrpc-proxy.service ours=(ttrpc-proxy ttrpc-tools libttrpc0 libttrpc-dev)
readonly next=99.0 # higher than any version
property() { machine_run systemctl show --value --property "$1" "${2-$unit}"; }
is() { same "$1" "$2" "$(property "$1")"; } # PROPERTY VALUE

export DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-nocheck parallel=$(nproc)}
build_here() {
  packages=$top/build-deb
  "$top/systemd/build-deb.sh"
}

# copy_debian NAME makes a copy of the clean Debian, with the sources in it, for changes.
copy_debian() {
  cp -a "$work/debian" "$work/$1" && mkdir "$work/$1/srv/sources" &&
    tar -C "$top" -c --exclude-vcs --exclude='./build*' --exclude=__pycache__ \
      --exclude=./tests/interop/rust/target . |
    tar -x -C "$work/$1/srv/sources" --no-same-owner
}

# in_copy NAME COMMAND… runs a command in the sources there. What it starts and mounts ends with it.
in_copy() {
  # shellcheck disable=SC2016
  unshare --mount --propagation private --pid --fork --kill-child bash -c '
    cd "$1" && shift && mount -t proc proc proc && mount --rbind /sys sys &&
      mount --rbind /dev dev && mount -t tmpfs -o mode=1777 tmpfs tmp &&
      mount -t tmpfs -o mode=755 tmpfs run || exit
    exec env -u CC -u CXX -u CCACHE_DIR HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      chroot . bash -c '\''cd /srv/sources && exec "$@"'\'' - "$@"' - "$work/$1" "${@:2}"
}

build_there() {
  copy_debian builder && in_copy builder tests/install-deps.sh package &&
    in_copy builder systemd/build-deb.sh 2>&1 | tee "$work/build.log" || return
  packages=$work/builder/srv/sources/build-deb
}

no_warning() { ! grep -E ': warning: .*\[-W' "$work/build.log"; }

build_and_compare() {
  if [[ -z $packages && $release == "$own_release" ]]; then
    check "packages are built" build_here
  elif [[ -z $packages ]]; then
    check "packages are built on $release" build_there
    check "the compiler of $release does not warn" no_warning
  fi
  check "versions agree" versions_agree
  if command -v lintian >/dev/null; then check "lintian finds no error" lintian_finds_no_error; fi
}

# The version in the changelog is that of meson.build.
versions_agree() {
  local version name
  version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$top/meson.build")
  for name in "${ours[@]}"; do
    same "$name" "$version" "$(dpkg-deb -f "$packages/${name}"_[0-9]*.deb Version)" || return
  done
}

# lintian's errors count. Its warnings are a matter of taste.
lintian_finds_no_error() {
  lintian --allow-root --fail-on error --tag-display-limit 0 \
    "$packages"/{ttrpc-proxy,ttrpc-tools,libttrpc0,libttrpc-dev}_[0-9]*.deb
}

# A mount namespace hides the mounts of debootstrap from other processes.
bootstrap() {
  unshare --mount --propagation private debootstrap --variant=minbase --include=systemd \
    "$release" "$work/debian"
}

install_depends() {
  local depends name
  depends=$(for name in "${ours[@]}"; do dpkg-deb -f "$packages/$name"_[0-9]*.deb Depends; done |
    tr , '\n' | sed 's/^ *//' | grep -v '^libttrpc0' | sort -u | paste -s -d ,)
  unshare --mount --propagation private chroot "$work/debian" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q -y -o Acquire::Retries=3 satisfy --no-install-recommends "$depends"
}

# These packages differ only in their version: the test is about what an upgrade does to a running
# daemon, not about changes in a new version.
make_next() {
  local name
  mkdir "$work/next"
  for name in "${ours[@]}"; do
    dpkg-deb -R "$packages/$name"_[0-9]*.deb "$work/unpacked" &&
      sed -i -E "s/^Version: .*/Version: $next/; s/(libttrpc0 \(= )[^)]*/\1$next/" \
        "$work/unpacked/DEBIAN/control" &&
      dpkg-deb --root-owner-group -b "$work/unpacked" "$work/next/${name}_$next.deb" || return
    rm -r "$work/unpacked"
  done
}

boots() {
  mkdir "$work/machine" && machine_start "$work/debian" "$work/machine" || return
  local name
  mkdir -p "$machine_root"/srv/{now,next}
  for name in "${ours[@]}"; do
    cp "$packages/$name"_[0-9]*.deb "$machine_root/srv/now" || return
  done
  cp "$work"/next/*.deb "$machine_root/srv/next"
}

# Lists every file that a package could leave behind, except for the databases of the system.
everything() {
  # shellcheck disable=SC2016
  machine_run bash -c 'find / /run -xdev \( -path /srv -o -path /tmp -o -path /var/log/journal \
    -o -path /var/lib/dpkg -o -path /var/cache -o -path /run/systemd -o -path /run/log \) -prune \
    -o \( -type f -o -type l -o -type d -o -type s \) -print | grep -vE "^/etc/(g?shadow|group|passwd)-$" | sort -u
    cat /etc/passwd /etc/group'
}

installs() {
  everything >"$work/before"
  machine_run bash -c 'dpkg -i /srv/now/*.deb' && is ActiveState active && is SubState running &&
    is UnitFileState enabled && same "the socket" disabled "$(property UnitFileState ttrpc-proxy.socket)"
}

is_as_it_should() {
  same "the directory" "root root 755" "$(machine_run stat -c '%U %G %a' /run/ttrpc-proxy)" &&
    has --check "there is no [[listener]], so nothing is served; add one" \
      "$(machine_run ttrpc-proxyd --check 2>&1)" &&
    machine_run getent group ttrpc-proxy && machine_run ttrpc --version &&
    has "status" ", running for " "$(machine_run ttrpc-proxyctl status 2>&1)" &&
    same "the admin socket" "root root 600" \
      "$(machine_run stat -c '%U %G %a' /run/ttrpc-proxy/admin.sock)" &&
    machine_run test -d /etc/ttrpc-proxy/conf.d &&
    machine_run bash -c 'echo "[log]
level = \"debug\"" >/etc/ttrpc-proxy/conf.d/own.toml' &&
    machine_run systemctl reload "$unit" &&
    has "the level" 'level = "debug"' "$(machine_run ttrpc-proxyd --print-config)" &&
    machine_run rm /etc/ttrpc-proxy/conf.d/own.toml &&
    machine_run test -s /usr/share/doc/ttrpc-proxy/SECURITY.md &&
    same "listeners and rules" "" \
      "$(machine_run ttrpc-proxyd --print-config | grep -E '^\[\[(listener|rule)')"
}

# start ARGUMENT… runs peers.py in the background, with its input and output as file descriptors.
start() {
  coproc PEER { exec python3 "$top/tests/package/peers.py" "$@"; }
  peers+=("$PEER_PID")
  exec {output}<&"${PEER[0]}" {input}>&"${PEER[1]}"
}

says() { # WORD; the open connection still carries a call
  local reply
  echo "$1" >&"$held_input"
  read -r -t 20 reply <&"$held_output" || reply="nothing"
  same "the answer" "$1" "$reply"
}

# This runs outside: the path leads to the same socket, and the user is the same one.
serves() {
  local line
  start serve "$machine_root/run/echo.sock" 2>/dev/null
  read -r -t 20 line <&"$output" && same "the backend" ready "$line" || return
  mkdir -p "$machine_root/etc/ttrpc-proxy/conf.d"
  cat >"$machine_root/etc/ttrpc-proxy/config.toml" <<'TOML'
[audit]
calls = "all"
target = "file:/var/log/ttrpc-proxy/audit.json"

[[listener]]
name = "echo"
address = "unix:///run/ttrpc-proxy/echo.sock"
group = "ttrpc-proxy"
mode = "0660"

[[listener]]
name = "main"
address = "systemd:main"

[[backend]]
name = "echo"
address = "unix:///run/echo.sock"

[[rule]]
name = "root"
users = ["root"]
methods = ["/test.Echo/Say"]
action = "allow"
backend = "echo"
TOML
  # systemd does not start a socket whose service runs.
  machine_run systemctl stop "$unit" && machine_run systemctl enable --now ttrpc-proxy.socket &&
    machine_run systemctl start "$unit" || return
  start hold "$machine_root/run/ttrpc-proxy/echo.sock" 2>/dev/null
  held_input=$input
  held_output=$output
  says before
}

upgrades() {
  local pid config
  pid=$(property MainPID)
  config=$(<"$machine_root/etc/ttrpc-proxy/config.toml")
  machine_run bash -c 'dpkg -i /srv/next/*.deb' && says after && is ActiveState active &&
    is MainPID "$pid" && same "what runs" "/usr/sbin/ttrpc-proxyd (deleted)" \
    "$(machine_run readlink "/proc/$pid/exe")" &&
    same "the configuration" "$config" "$(<"$machine_root/etc/ttrpc-proxy/config.toml")"
}

# The administrator chooses when to restart.
restarts() {
  machine_run systemctl restart "$unit" && is ActiveState active &&
    same "what runs" /usr/sbin/ttrpc-proxyd \
      "$(machine_run readlink "/proc/$(property MainPID)/exe")" &&
    machine_run test -s /var/log/ttrpc-proxy/audit.json
}

purges() {
  machine_run dpkg --purge "${ours[@]}" && is ActiveState inactive && is LoadState not-found &&
    same "the socket" inactive "$(property ActiveState ttrpc-proxy.socket)" &&
    same "the socket" not-found "$(property LoadState ttrpc-proxy.socket)" &&
    same "processes" "" "$(machine_run pgrep -x ttrpc-proxyd)" || return
  rm -f "$machine_root/run/echo.sock"
  everything | diff "$work/before" -
}

# These are the commands of README.md.
demo() {
  local name
  copy_debian demo && mkdir "$work/demo/srv/packages" || return
  for name in "${ours[@]}"; do
    cp "$packages/$name"_[0-9]*.deb "$work/demo/srv/packages" || return
  done
  in_copy demo bash -c 'apt-get -q -y -o Acquire::Retries=3 install /srv/packages/*.deb &&
    exec tests/demo.sh --installed'
}

if [[ $release == "$own_release" ]]; then build_and_compare; fi
if ! bootstrap >"$work/bootstrap.log" 2>&1; then
  if grep -qE "Couldn't download|Could not resolve|Failed getting|Unable to fetch|Cannot initiate" \
    "$work/bootstrap.log" "$work/debian/debootstrap/debootstrap.log" 2>/dev/null; then
    echo "SKIP the installed packages: no network, $(tail -n 1 "$work/bootstrap.log")"
    echo "$passed passed, $failed failed, 1 skipped"
    [[ $failed -eq 0 ]]
    exit
  fi
fi
check "a clean Debian" same "bootstrap" "" \
  "$([[ -x $work/debian/lib/systemd/systemd ]] || tail -n 20 "$work/bootstrap.log")"
if [[ $release != "$own_release" ]]; then build_and_compare; fi
check "dependencies are installed" install_depends
check "packages of the next version" make_next
check "boots" boots
if [[ $failed -eq 0 ]]; then
  check "installs and starts" installs
  check "as installed it denies everything" is_as_it_should
  check "serves" serves
  if [[ -n ${held_output-} ]]; then check "an upgrade leaves connections alone" upgrades; fi
  check "restarts as the new version" restarts
  check "a purge leaves nothing" purges
  check "the demo succeeds" demo
fi

conclude
