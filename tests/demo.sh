#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# tests/demo.sh [--installed] shows the daemon beside the shim of a real container.
#
# The script installs missing packages and builds the daemon (or uses the installed one). Then it
# runs a container with a private instance of Debian's containerd, and calls its shim through the
# daemon as three users. On a machine where no container can run, it starts the shim alone, as
# containerd would. Each step announces an outcome and shows the real one. The script fails if the
# two differ. It needs root to run a container and to switch users. It leaves only ./build behind.
set -euo pipefail
umask 022

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tests/containerd/bed.sh
. "$top/tests/containerd/bed.sh"
readonly build=$top/build
proxyd=$build/daemon/ttrpc-proxyd
ctl=$build/daemon/ttrpc-proxyctl
tool=$build/libttrpc/tool/ttrpc
# These may be any two users except `nobody`, whose uid clients without a mapping have, too.
readonly viewer=www-data stranger=games
# The script starts itself again in the namespaces of the container. There, this exit status means
# that no container runs, and that nothing has been shown yet.
readonly no_container=75

inside=false
installed=false
case ${1-} in
  '') ;;
  --installed) installed=true ;;
  --inside) inside=true work=$2 proxyd=$3 ctl=$4 ;;
  *)
    echo "usage: tests/demo.sh [--installed]" >&2
    exit 64
    ;;
esac
if [[ $(id -u) -ne 0 ]]; then
  echo "tests/demo.sh: not root; run it as root, since it runs a container and switches users" >&2
  exit 1
fi

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
if [[ ! -t 1 ]]; then say() { printf '\n%s\n' "$*"; }; fi
fail() {
  printf '\nNOT AS EXPECTED: %s\n' "$*" >&2
  if [[ -s $work/daemon.log ]]; then sed 's/^/    daemon: /' "$work/daemon.log" >&2; fi
  exit 1
}

if ! $inside; then
  work=$(mktemp -d /tmp/ttrpc-proxy-demo.XXXXXX)
  chmod 755 "$work" # the other users must reach the socket in it
fi
daemon_pid=
shim_socket=
log_reader=
cleanup() {
  if [[ -n $daemon_pid ]]; then kill "$daemon_pid" 2>/dev/null || true; fi
  if $inside; then return; fi # everything else ends with the namespaces
  bed_leave
  # A shim without containers exits after Shutdown, and removes its socket.
  if [[ -S $shim_socket ]]; then
    call "$shim_socket" root Shutdown >/dev/null 2>&1 || true # the shim may exit before it replies
    for ((tries = 100; tries > 0; tries--)); do
      [[ -S $shim_socket ]] || break
      sleep 0.05
    done
    for directory in /run/containerd/s /run/containerd; do
      if [[ -d $directory ]]; then rmdir --ignore-fail-on-non-empty "$directory"; fi
    done
  fi
  if [[ -n $log_reader ]]; then kill "$log_reader" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' TERM INT HUP

# call SOCKET USER METHOD: makes one call as that user.
call() {
  setpriv --reuid="$(id -u "$2")" --regid="$(id -g "$2")" --clear-groups \
    "$work/ttrpc" call "unix://$1" "$task/$3" \
    -I "$work" --proto task.proto -d "{\"id\": \"$id\"}" --compact
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

# containerd 2.x speaks version 3 of the service, in which only the name is different.
find_version() {
  version=$(containerd --version | sed 's/.* v*\([0-9]*\.[0-9.]*\).*/\1/')
  task=/containerd.task.v2.Task
  if [[ ${version%%.*} -ge 2 ]]; then task=/containerd.task.v3.Task; fi
  sed "s/\\bv2\\b/$(cut -d . -f 3 <<<"$task")/" "$top/tests/containerd/task.proto" \
    >"$work/task.proto"
}

# start_container runs a container in the bed, where all paths are the usual ones.
start_container() {
  local config=2
  if [[ ${version%%.*} -ge 2 ]]; then config=3; fi
  id=web namespace=$bed_namespace state=$bed_state sockets=/run/ttrpc-proxy
  bed_configure "$work/containerd" "$config" && bed_start && bed_import && bed_run "$id" || return
  find_shim
}

find_shim() {
  local bundle=$state/io.containerd.runtime.v2.task/$namespace/$id address
  if [[ -e $bundle/bootstrap.json ]]; then
    address=$(sed 's/.*"address":"\([^"]*\)".*/\1/' "$bundle/bootstrap.json")
  else
    address=$(<"$bundle/address")
  fi
  shim_socket=${address#unix://}
  [[ -S $shim_socket ]] || { echo "the bundle names '$address', which is no socket" && return 1; }
}

# start_shim starts a shim in a bundle, which needs a config.json and a fifo `log` with a reader.
# containerd need not run, because the shim only sends events to it.
start_shim() {
  local bundle
  id=web namespace=demo state=$work/state sockets=$work
  bundle=$state/io.containerd.runtime.v2.task/$namespace/$id
  mkdir -p "$bundle"
  echo '{"ociVersion":"1.0.2","process":{"cwd":"/","args":["true"]},"root":{"path":"rootfs"}}' \
    >"$bundle/config.json"
  mkfifo "$bundle/log"
  cat "$bundle/log" >"$work/shim.log" &
  log_reader=$!
  # A shim's socket is named after containerd's, so this one is different in each demo.
  (cd "$bundle" && TTRPC_ADDRESS=$work/none containerd-shim-runc-v2 \
    -namespace "$namespace" -id "$id" -address "$work/none" -publish-binary /bin/true \
    start </dev/null >/dev/null) || fail "the shim does not start"
  find_shim || fail "the shim has no socket"
}

write_config() {
  cat >"$work/config.toml" <<TOML
[audit]
calls  = "all"
target = "file:$work/audit.json"

[admin]
address = "unix://$work/admin.sock"

[limits]
connections = 400   # each needs up to two descriptors, and a shell may have only 1024
requests_per_second_per_user = 100    # bounds the audit

[[listener]]        # a socket for each container, which comes and goes with it
name     = "shims"
discover = "containerd"
state    = "$state"
address  = "unix://$sockets/shims/{namespace}/{id}.sock"
mode     = "0666"

[[backend]]
name    = "the shim itself"
address = "discovered"

[[rule]]
name    = "root may do anything"
users   = ["root"]
methods = ["@containerd-task"]
action  = "allow"
backend = "the shim itself"

[[rule]]
name    = "$viewer may look"
users   = ["$viewer"]
methods = ["@containerd-read"]
action  = "allow"
backend = "the shim itself"
TOML
}

start_daemon() {
  "$proxyd" --config "$work/config.toml" --check || fail "--check"
  "$proxyd" --config "$work/config.toml" 2>"$work/daemon.log" &
  daemon_pid=$!
  wait_for "$work/daemon.log" ready
}

# show_workloads: the daemon has found the shim and made a socket beside it.
show_workloads() {
  local tries=200
  until [[ -S $proxy ]]; do
    tries=$((tries - 1))
    [[ $tries -gt 0 ]] || fail "no $proxy"
    sleep 0.05
  done
  echo "  ttrpc-proxyctl workloads"
  answer=$("$ctl" --address "unix://$work/admin.sock" workloads 2>&1) || true
  printf '    %s\n' "${answer//$'\n'/$'\n    '}"
  [[ $answer == *"$id"* ]] || fail "expected '$id'"
}

# remove_container: its socket goes with it.
remove_container() {
  local tries=200
  bed_remove "$id" >"$work/bed.log" 2>&1 || fail "$(<"$work/bed.log")"
  while [[ -e $proxy ]]; do
    tries=$((tries - 1))
    [[ $tries -gt 0 ]] || fail "$proxy is still there"
    sleep 0.05
  done
  echo "  $proxy is gone."
}

# demonstrate RUNNING: true if there is a container, false if there is only a shim.
demonstrate() {
  local running=$1 last=7 state_answer=NOT_FOUND denied=Shutdown shim_answer
  if $running; then
    say "1. containerd $version runs the container '$id'. Only root can open its shim's socket."
    state_answer='"status":"RUNNING"' denied=Kill
  else
    say "1. A real shim is started as containerd would start it. Only root can open its socket."
  fi
  echo "  Shims of containerd 1.x serve ${task/v3/v2}, those of 2.x serve ${task/v2/v3}."
  show "$shim_socket" root Connect '"shimPid":'
  shim_answer=$answer
  echo "  This is the shim's own process."
  show "$shim_socket" "$viewer" State "Permission denied"
  echo "  Without the daemon, $viewer would need root to see anything, and could then do everything."

  say "2. ttrpc-proxyd is started beside the shim, with this configuration:"
  write_config
  sed 's/^/    /' "$work/config.toml"
  proxy=$sockets/shims/$namespace/$id.sock
  start_daemon
  echo "  It follows containerd's directory. @containerd-read has the methods of both versions."
  show_workloads

  say "3. The daemon allows root's Connect. The shim's reply comes back through the daemon."
  show "$proxy" root Connect "$shim_answer"
  show_audit '"method":"Connect"'

  if $running; then
    say "4. The daemon allows $viewer's State. The container is running."
  else
    say "4. The daemon allows $viewer's State. The shim replies that it has no such container."
  fi
  show "$proxy" "$viewer" State "$state_answer"
  show_audit '"method":"State"'
  show "$shim_socket" root State "$answer"
  echo "  The shim gives root the same reply on its own socket."

  say "5. The daemon denies $viewer's $denied, which never reaches the shim."
  show "$proxy" "$viewer" "$denied" "uid $(id -u "$viewer") may not call $task/$denied"
  show_audit '"event":"deny"'
  echo "  No rule allows this call, so it is denied:"
  explain "$viewer" "$denied" "$viewer may look"
  show "$shim_socket" root State "$state_answer"
  echo "  Nothing has changed."

  say "6. No rule allows $stranger any call. The daemon closes the connection and reads nothing."
  show "$proxy" "$stranger" State "UNAVAILABLE: ttrpc: closed"
  show_audit '"event":"refuse"'

  if $running; then
    say "7. The container is removed, and the daemon removes its socket."
    remove_container
    last=8
  fi

  say "$last. SIGTERM ends the daemon, which leaves no socket behind."
  stop_daemon
  say "All outcomes were as expected."
}

stop_daemon() {
  local status=0
  kill -TERM "$daemon_pid"
  wait "$daemon_pid" || status=$?
  daemon_pid=
  [[ $status -eq 0 ]] || fail "exit status $status"
  [[ ! -e $proxy ]] || fail "$proxy is still there"
  echo "  The exit status is 0."
}

if $inside; then
  find_version
  start_container >"$work/bed.log" 2>&1 || exit "$no_container"
  demonstrate true
  exit
fi

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

problem=$(bed_problem)
if [[ -z $problem ]]; then
  status=0
  bed_enter bash "$top/tests/demo.sh" --inside "$work" "$proxyd" "$ctl" || status=$?
  [[ $status -eq $no_container ]] || exit "$status"
  problem=$(tail -n 1 "$work/bed.log")
fi
echo "  No container can run here ($problem), so this is a shim without one."
find_version
start_shim
demonstrate false
