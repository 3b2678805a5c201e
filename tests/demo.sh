#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/demo.sh [--installed] shows the daemon in front of a real containerd shim.
#
# The script installs missing packages, builds the daemon (or uses the installed one), starts
# Debian's containerd-shim-runc-v2 as containerd would, but without a container, and calls it
# through the daemon as three users. Each step announces an outcome and shows the real one. The
# script fails if the two differ. It needs root to call the shim and to switch users. It leaves only
# ./build behind.
set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly build=$top/build
proxyd=$build/daemon/ttrpc-proxyd
ctl=$build/daemon/ttrpc-proxyctl
tool=$build/libttrpc/tool/ttrpc
readonly task=/containerd.task.v2.Task
readonly payload='{"id": "demo"}'
# These may be any two users except `nobody`, whose uid clients without a mapping have, too.
readonly viewer=www-data stranger=games

installed=false
case ${1-} in
  '') ;;
  --installed) installed=true ;;
  *)
    echo "usage: tests/demo.sh [--installed]" >&2
    exit 64
    ;;
esac
if [[ $(id -u) -ne 0 ]]; then
  echo "tests/demo.sh: not root; run it as root, since it calls a shim and switches users" >&2
  exit 1
fi

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
if [[ ! -t 1 ]]; then say() { printf '\n%s\n' "$*"; }; fi
fail() {
  printf '\nNOT AS EXPECTED: %s\n' "$*" >&2
  if [[ -s $work/daemon.log ]]; then sed 's/^/    daemon: /' "$work/daemon.log" >&2; fi
  exit 1
}

work=$(mktemp -d /tmp/ttrpc-proxy-demo.XXXXXX)
chmod 755 "$work" # the other users must reach the socket in it
daemon_pid=
shim_socket=
log_reader=
cleanup() {
  if [[ -n $daemon_pid ]]; then kill "$daemon_pid" 2>/dev/null || true; fi
  # A shim without containers exits after Shutdown, and removes its socket.
  if [[ -S $shim_socket ]]; then
    call "$shim_socket" root Shutdown >/dev/null 2>&1 || true # the shim may exit before it replies
    for ((tries = 100; tries > 0; tries--)); do
      [[ -S $shim_socket ]] || break
      sleep 0.05
    done
  fi
  if [[ -n $log_reader ]]; then kill "$log_reader" 2>/dev/null || true; fi
  rm -rf "$work"
  for directory in /run/containerd/s /run/containerd; do
    if [[ -d $directory ]]; then rmdir --ignore-fail-on-non-empty "$directory"; fi
  done
}
trap cleanup EXIT

# call SOCKET USER METHOD: makes one call as that user.
call() {
  setpriv --reuid="$(id -u "$2")" --regid="$(id -g "$2")" --clear-groups \
    "$work/ttrpc" call "unix://$1" "$task/$3" \
    -I "$work" --proto task.proto -d "$payload" --compact
}

# show SOCKET USER METHOD EXPECTED: makes a call and prints its output, which must contain EXPECTED.
answer=
show() {
  echo "  $2 calls $3 on $1"
  answer=$(call "$1" "$2" "$3" 2>&1) || true
  printf '    %s\n' "${answer//$'\n'/$'\n    '}"
  [[ $answer == *"$4"* ]] || fail "expected '$4'"
}

# wait_for FILE WORDS: waits until the file contains the words, at most 10 s.
wait_for() {
  local tries=200
  until grep -qF -- "$2" "$1" 2>/dev/null; do
    tries=$((tries - 1))
    [[ $tries -gt 0 ]] || fail "no '$2' in $1"
    sleep 0.05
  done
}

# show_audit WORDS: prints the last audit line with these words, which the daemon writes after its
# reply.
show_audit() {
  wait_for "$work/audit.json" "$1"
  echo "  The daemon's audit line:"
  grep -F -- "$1" "$work/audit.json" | tail -n 1 | sed 's/^/    /'
}

# explain USER METHOD EXPECTED: prints the daemon's reasons, which must contain EXPECTED.
explain() {
  echo "  ttrpc-proxyctl explain --user $1 --method $task/$2"
  answer=$("$ctl" explain --config "$work/config.toml" --user "$1" --method "$task/$2" 2>&1) || true
  printf '    %s\n' "${answer//$'\n'/$'\n    '}"
  [[ $answer == *"$3"* ]] || fail "expected '$3'"
}

# get_programs() calls the next two functions where set -e has no effect.
find_installed() {
  "$top/tests/install-deps.sh" shim || return
  proxyd=$(command -v ttrpc-proxyd) || { echo "ttrpc-proxyd is not installed" && return 1; }
  ctl=$(command -v ttrpc-proxyctl) || { echo "ttrpc-proxyctl is not installed" && return 1; }
  tool=$(command -v ttrpc) || { echo "ttrpc is not installed" && return 1; }
}

build_all() {
  "$top/tests/install-deps.sh" demo &&
    { [[ -e $build/build.ninja ]] || meson setup "$build" "$top"; } &&
    ninja -C "$build" daemon/ttrpc-proxyd daemon/ttrpc-proxyctl libttrpc/tool/ttrpc
}

get_programs() {
  if $installed; then find_installed; else build_all; fi || return
  # Other users may have no access to the directory of the original.
  install -m 755 "$tool" "$work/ttrpc"
}

# The schema has only those parts of containerd's that this script calls.
write_schema() {
  cat >"$work/task.proto" <<'PROTO'
syntax = "proto3";
package containerd.task.v2;
import "google/protobuf/empty.proto";
service Task {
  rpc Connect(ConnectRequest) returns (ConnectResponse);
  rpc State(StateRequest) returns (StateResponse);
  rpc Shutdown(ShutdownRequest) returns (google.protobuf.Empty);
}
message ConnectRequest { string id = 1; }
message ConnectResponse { uint32 shim_pid = 1; uint32 task_pid = 2; string version = 3; }
message StateRequest { string id = 1; }
message StateResponse { string id = 1; string bundle = 2; uint32 pid = 3; }
message ShutdownRequest { string id = 1; }
PROTO
}

# A shim starts in its bundle, and needs a config.json and a fifo `log` with a reader there.
# containerd need not run, because the shim only sends events to it.
start_shim() {
  local bundle=$work/bundle
  mkdir "$bundle"
  echo '{"ociVersion":"1.0.2","process":{"cwd":"/","args":["true"]},"root":{"path":"rootfs"}}' \
    >"$bundle/config.json"
  mkfifo "$bundle/log"
  cat "$bundle/log" >"$work/shim.log" &
  log_reader=$!
  shim_socket=$(cd "$bundle" && TTRPC_ADDRESS=$work/none containerd-shim-runc-v2 \
    -namespace demo -id "demo-$$" -address "$work/none" -publish-binary /bin/true start </dev/null)
  shim_socket=${shim_socket#unix://}
  [[ -S $shim_socket ]] || fail "the shim printed '$shim_socket' instead of its socket"
}

write_config() {
  cat >"$work/config.toml" <<TOML
[audit]
calls  = "all"
target = "file:$work/audit.json"

[limits]
connections = 400   # each needs up to two descriptors, and a shell may have only 1024
requests_per_second_per_user = 100    # bounds the audit

[[listener]]
name    = "shims"
address = "unix://$work/shims.sock"
mode    = "0666"

[[backend]]
name    = "shim"
address = "unix://$shim_socket"

[[rule]]
name    = "root may do anything"
users   = ["root"]
methods = ["$task/*"]
action  = "allow"
backend = "shim"

[[rule]]
name    = "$viewer may look"
users   = ["$viewer"]
methods = ["$task/State"]
action  = "allow"
backend = "shim"
TOML
}

start_daemon() {
  "$proxyd" --config "$work/config.toml" --check || fail "--check"
  "$proxyd" --config "$work/config.toml" 2>"$work/daemon.log" &
  daemon_pid=$!
  wait_for "$work/daemon.log" ready
}

if $installed; then
  say "Installing missing packages"
else
  say "Installing missing packages and building, which takes some minutes the first time"
fi
get_programs >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log" >&2
  fail "the programs"
}
echo "  done: $("$proxyd" --version), $("$tool" --version)"
write_schema

say "1. A real shim is started as containerd would start it. Only root can open its socket."
start_shim
show "$shim_socket" root Connect '"shimPid":'
shim_answer=$answer
echo "  This is the shim's own process."
show "$shim_socket" "$viewer" State "Permission denied"
echo "  Without the daemon, $viewer would need root to see anything, and could then do everything."

say "2. ttrpc-proxyd is started in front of the shim, with this configuration:"
write_config
sed 's/^/    /' "$work/config.toml"
start_daemon
proxy=$work/shims.sock

say "3. The daemon allows root's Connect. The shim's reply comes back through the daemon."
show "$proxy" root Connect "$shim_answer"
show_audit '"method":"Connect"'

say "4. The daemon allows $viewer's State. The shim replies that it has no such container."
show "$proxy" "$viewer" State "NOT_FOUND"
show_audit '"method":"State"'
show "$shim_socket" root State "$answer"
echo "  The shim gives root the same reply on its own socket."

say "5. The daemon denies $viewer's Shutdown, which never reaches the shim."
show "$proxy" "$viewer" Shutdown \
  "uid $(id -u "$viewer") may not call $task/Shutdown"
show_audit '"event":"deny"'
echo "  No rule allows this call, so it is denied:"
explain "$viewer" Shutdown "$viewer may look"
show "$shim_socket" root Connect "$shim_answer"
echo "  The shim is still running."

say "6. No rule allows $stranger any call. The daemon closes the connection and reads nothing."
show "$proxy" "$stranger" State "UNAVAILABLE: ttrpc: closed"
show_audit '"event":"refuse"'

say "7. SIGTERM ends the daemon, which removes its socket."
kill -TERM "$daemon_pid"
status=0
wait "$daemon_pid" || status=$?
daemon_pid=
[[ $status -eq 0 ]] || fail "exit status $status"
[[ ! -e $proxy ]] || fail "$proxy is still there"
echo "  The exit status is 0."

say "All outcomes were as expected."
