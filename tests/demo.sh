#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Shows the daemon at work in front of a real containerd shim: tests/demo.sh [--installed]
#
# Installs what is missing, builds the daemon (or takes the one that is installed), starts Debian's containerd-shim-runc-v2 as containerd
# would (but without a container), puts the daemon in front of it and calls it as three users. Each
# step says what is to happen, shows what did, and ends the demo if that is not the same. Needs
# root: only root may talk to a shim, and become somebody else. Leaves nothing behind but ./build.
set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly build=$top/build
proxyd=$build/daemon/ttrpc-proxyd
tool=$build/libttrpc/tool/ttrpc
readonly task=/containerd.task.v2.Task
readonly payload='{"id": "demo"}'
# Any two users but `nobody`, as whom also everyone shows who has no uid here.
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
  echo "tests/demo.sh: must be root: it talks to a shim, and becomes other users" >&2
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
  # A shim without containers ends when it is asked to, and removes its socket.
  if [[ -S $shim_socket ]]; then
    call "$shim_socket" root Shutdown >/dev/null 2>&1 || true # it may end before it answers
    for ((tries = 100; tries > 0; tries--)); do
      [[ -S $shim_socket ]] || break
      sleep 0.05
    done
  fi
  if [[ -n $log_reader ]]; then kill "$log_reader" 2>/dev/null || true; fi
  rm -rf "$work"
  for folder in /run/containerd/s /run/containerd; do
    if [[ -d $folder ]]; then rmdir --ignore-fail-on-non-empty "$folder"; fi
  done
}
trap cleanup EXIT

# call SOCKET USER METHOD: one call, as that user, with the `ttrpc` that was built.
call() {
  setpriv --reuid="$(id -u "$2")" --regid="$(id -g "$2")" --clear-groups \
    "$work/ttrpc" call "unix://$1" "$task/$3" \
    -I "$work" --proto task.proto -d "$payload" --compact
}

# show SOCKET USER METHOD EXPECTED: the same aloud; its output must hold the expected words.
answer=
show() {
  echo "  $2 calls $3 on $1"
  answer=$(call "$1" "$2" "$3" 2>&1) || true
  printf '    %s\n' "${answer//$'\n'/$'\n    '}"
  [[ $answer == *"$4"* ]] || fail "expected '$4'"
}

# wait_for FILE WORDS: until the file has them; 10 s at most.
wait_for() {
  local tries=200
  until grep -qF -- "$2" "$1" 2>/dev/null; do
    tries=$((tries - 1))
    [[ $tries -gt 0 ]] || fail "no '$2' in $1"
    sleep 0.05
  done
}

# show_audit WORDS: the last audit line that has them. Lines are written after the answer.
show_audit() {
  wait_for "$work/audit.json" "$1"
  echo "  The daemon's audit line:"
  grep -F -- "$1" "$work/audit.json" | tail -n 1 | sed 's/^/    /'
}

show_rule() { # NAME
  sed -n "/^name *= \"$1\"/,/^\$/p" "$work/config.toml" | sed '1i [[rule]]' | sed 's/^/    /'
}

# The next two are called where set -e has no effect.
find_installed() {
  "$top/tests/install-deps.sh" shim || return
  proxyd=$(command -v ttrpc-proxyd) || { echo "ttrpc-proxyd is not installed" && return 1; }
  tool=$(command -v ttrpc) || { echo "ttrpc is not installed" && return 1; }
}

build_all() {
  "$top/tests/install-deps.sh" demo &&
    { [[ -e $build/build.ninja ]] || meson setup "$build" "$top"; } &&
    ninja -C "$build" daemon/ttrpc-proxyd libttrpc/tool/ttrpc
}

get_programs() {
  if $installed; then find_installed; else build_all; fi || return
  # Other users may not be let into the folder that this is in.
  install -m 755 "$tool" "$work/ttrpc"
}

# As much of containerd's schema as is called here.
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

# A shim is started in its bundle: it wants a config.json there, and a fifo `log` that somebody
# reads, or it dies. containerd itself need not run; the shim would tell it of events.
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
  [[ -S $shim_socket ]] || fail "the shim printed no socket but '$shim_socket'"
}

write_config() {
  cat >"$work/config.toml" <<TOML
[audit]
calls  = "all"
target = "file:$work/audit.json"

[limits]
connections = 400   # each takes up to two descriptors, of which a shell may have 1024

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
  say "Installing what is missing"
else
  say "Installing what is missing and building; the first time this takes some minutes"
fi
get_programs >"$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log" >&2
  fail "the programs"
}
echo "  done: $("$proxyd" --version), $("$tool" --version)"
write_schema

say "1. A real shim, as containerd would start it: its socket is root's alone"
start_shim
show "$shim_socket" root Connect '"shimPid":'
shim_answer=$answer
echo "  That is the shim's own process."
show "$shim_socket" "$viewer" State "Permission denied"
echo "  So $viewer would have to be root to see anything, and could then do anything."

say "2. ttrpc-proxyd in front of it, with this configuration"
write_config
sed 's/^/    /' "$work/config.toml"
start_daemon
proxy=$work/shims.sock

say "3. root's Connect is allowed, and answered by the shim through the daemon"
show "$proxy" root Connect "$shim_answer"
show_audit '"method":"Connect"'

say "4. $viewer's State is allowed; that there is no such container is the shim's own answer"
show "$proxy" "$viewer" State "NOT_FOUND"
show_audit '"method":"State"'
show "$shim_socket" root State "$answer"
echo "  The shim, asked directly by root, says the same."

say "5. $viewer's Shutdown is denied, and never reaches the shim"
show "$proxy" "$viewer" Shutdown \
  "uid $(id -u "$viewer") may not call $task/Shutdown"
show_audit '"event":"deny"'
echo "  Why: what no rule allows is denied. The only rule for $viewer names another method:"
show_rule "$viewer may look"
show "$shim_socket" root Connect "$shim_answer"
echo "  The shim is alive."

say "6. $stranger stands in no rule: the connection is closed before a byte is read"
show "$proxy" "$stranger" State "UNAVAILABLE: ttrpc: closed"
show_audit '"event":"refuse"'

say "7. SIGTERM: the daemon ends by itself and takes its socket with it"
kill -TERM "$daemon_pid"
status=0
wait "$daemon_pid" || status=$?
daemon_pid=
[[ $status -eq 0 ]] || fail "exit status $status"
[[ ! -e $proxy ]] || fail "$proxy is still there"
echo "  exit status 0"

say "All was as expected."
