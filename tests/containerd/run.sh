#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the daemon beside real shims: tests/containerd/run.sh [--build DIR] 1.6|2.4
#
# 1.6 is the containerd of Debian 12's package, whose shims serve version 2 of the Task service. 2.4
# is built by build.sh, and its shims serve version 3. Both run privately; see bed.sh. Containers
# and pods run, execute, pause, are killed and go while a user asks for the state of one container
# all the time. Meanwhile containerd is restarted and killed, and at last the daemon is killed. Each
# user may see what its rule names and nothing else. The containers of a pod have one shim: by an
# annotation in 1.6, and by a sandbox in 2.4.
#
# DIR (default: build) must be built. The last line is `N passed, N failed, N skipped`; the exit
# status is 0 only if none failed. Needs root.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/containerd/bed.sh
. "$top/tests/containerd/bed.sh"

usage() {
  echo "usage: tests/containerd/run.sh [--build DIR] 1.6|2.4" >&2
  exit 64
}
skip() {
  echo "SKIP all: $1"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

# Outside the bed: finds or builds containerd, then runs this script again, inside.
if [[ ${1-} != --inside ]]; then
  build=$top/build
  if [[ ${1-} == --build && $# -gt 1 ]]; then build=$(realpath "$2") && shift 2; fi
  version=${1-}
  case $version in
    1.6)
      have=$(containerd --version 2>/dev/null) || skip "no containerd"
      [[ $have == *" 1.6."* ]] || skip "Debian's containerd is not 1.6, but $have"
      ;;
    2.4)
      status=0
      built=$("$top/tests/containerd/build.sh" 2>&1) || status=$?
      if [[ $status -eq 77 ]]; then skip "${built##*$'\n'}"; fi
      if [[ $status -ne 0 ]]; then
        echo "$built"
        echo "FAIL containerd $version is built"
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
      fi
      PATH=$top/build-containerd/bin:$PATH
      ;;
    *) usage ;;
  esac
  problem=$(bed_problem)
  [[ -z $problem ]] || skip "$problem"
  disk=$(mktemp -d) # snapshots and images are too large for a /run in memory
  trap 'bed_leave; rm -rf "$disk"' EXIT
  trap 'exit 1' TERM INT HUP
  bed_enter bash "$top/tests/containerd/run.sh" --inside "$build" "$version" "$disk"
  exit
fi

build=$2 version=$3 disk=$4
# shellcheck disable=SC2034 # checks.sh writes its log there
readonly work=$bed_files
# shellcheck source=tests/support/checks.sh
. "$top/tests/support/checks.sh"

case $version in
  1.6) task=containerd.task.v2.Task other_task=containerd.task.v3.Task ;;
  *) task=containerd.task.v3.Task other_task=containerd.task.v2.Task ;;
esac
readonly viewer=www-data named=news stranger=games
mine=$(id -u "$viewer")
theirs=$(id -u "$named")
readonly all=/run/ttrpc-proxy/shims.sock base=/run/ttrpc-proxy/shims
readonly key=containerd-namespace-ttrpc elsewhere=$bed_namespace-other
readonly steady=$mine-steady
daemon=

front() { echo "$base/$bed_namespace/$1.sock"; } # ID

# call SOCKET USER METHOD [OPTION…] makes a call as that user and prints its outcome.
call() {
  local address=unix://$1 user=$2 method=$3
  shift 3
  setpriv --reuid="$(id -u "$user")" --regid="$(id -g "$user")" --clear-groups \
    timeout 30 "$bed_files/ttrpc" call "$address" "$method" "$@" 2>&1
}
# ask SOCKET USER METHOD ID [METADATA] calls a method of the Task service, as containerd would. The
# metadata names the namespace of the tests unless it is given; "" sends none.
ask() {
  local metadata=${5-$key=$bed_namespace}
  call "$1" "$2" "$3" -I "$bed_files" --proto task.proto --proto task3.proto --compact \
    -d "{\"id\": \"$4\"}" ${metadata:+--metadata "$metadata"}
}
state() { ask "$1" "$2" "$task/State" "$3"; } # SOCKET USER ID

# sees USER ID STATUS: the user reads that status through the container's own socket, and through
# the one for all.
sees() {
  local socket
  for socket in "$(front "$2")" "$all"; do
    has "$socket" "\"status\":\"$3\"" "$(state "$socket" "$1" "$2")" || return
  done
}
# refused SOCKET USER METHOD ID [METADATA]: the outcome is the one of any denied call.
refused() {
  same "$3 $4" "PERMISSION_DENIED: uid $(id -u "$2") may not call /$3" "$(ask "$@")"
}
listed() { has workloads "$1" "$(ctl workloads)"; }
# gone ID…: nothing of the workloads is left, neither a socket nor a line in the list.
gone() {
  local id
  for id in "$@"; do
    [[ ! -e $(front "$id") ]] || { echo "$(front "$id") is still there" && return 1; }
    if listed "$id" >/dev/null; then echo "$id is still listed" && return 1; fi
  done
}
fronts() { find "$base" -name '*.sock' -printf '%i %P\n' | sort; }
ctl() { "$build/daemon/ttrpc-proxyctl" "$@" 2>&1; }
removed() { bed_remove "$@" && within gone "$@"; } # ID…

write_config() {
  cat >"$bed_files/config.toml" <<TOML
[log]
format = "json"

[admin]

[limits]
connections = 400   # each needs up to two descriptors, and a shell may have only 1024

[[listener]]
name     = "shims"
discover = "containerd"
address  = "unix://$base/{namespace}/{id}.sock"
mode     = "0666"

[[listener]]
name     = "all shims"
discover = "containerd"
address  = "unix://$all"
mode     = "0666"

[[backend]]
name    = "the shim itself"
address = "discovered"

[[rule]]
name       = "own containers"
users      = ["$viewer"]
namespaces = ["$bed_namespace"]
ids        = ["{uid}-*"]
methods    = ["@containerd-read"]
action     = "allow"
backend    = "the shim itself"

[[rule]]
name       = "containers named after the user"
users      = ["$named"]
namespaces = ["$bed_namespace"]
ids        = ["{user}-*"]
methods    = ["@containerd/State"]
action     = "allow"
backend    = "the shim itself"
TOML
}

starts_daemon() {
  "$build/daemon/ttrpc-proxyd" --config "$bed_files/config.toml" 2>>"$bed_files/daemon.log" &
  daemon=$!
  within ctl status
}
descriptors() { find "/proc/$daemon/fd" -mindepth 1 | wc -l; }
# The first count may include a connection that the daemon has yet to close.
no_more_descriptors() {
  local now
  now=$(descriptors)
  [[ $now -le $idle_descriptors ]] || { echo "$now instead of $idle_descriptors" && return 1; }
}

prepares() {
  install -m 755 "$build/libttrpc/tool/ttrpc" "$bed_files/ttrpc" && bed_schemas && write_config &&
    "$build/daemon/ttrpc-proxyd" --config "$bed_files/config.toml" --check
}

# The baseline of descriptors is that of a daemon that has already followed one container.
follows_containerd() {
  local config=2
  [[ $version == 1.6 ]] || config=3
  starts_daemon && bed_configure "$disk" "$config" && bed_start && bed_import || return
  bed_run "$mine-first" && within sees "$viewer" "$mine-first" RUNNING && removed "$mine-first" &&
    idle_descriptors=$(descriptors)
}

runs() { # ID
  bed_run "$1" && within sees "$viewer" "$1" RUNNING && listed "$1"
}

sees_statistics() {
  local socket
  for socket in "$(front "$steady")" "$all"; do
    has "$socket" '"typeUrl":"' "$(ask "$socket" "$viewer" "$task/Stats" "$steady")" || return
  done
}

# A shim of 1.6 does not serve version 3, and one of 2.4 does not serve version 2. containerd tries
# the other version only for this status.
stays_unimplemented() {
  has "$other_task" UNIMPLEMENTED: \
    "$(ask "$(front "$steady")" "$viewer" "$other_task/State" "$steady")"
}

denies_kill() {
  refused "$(front "$steady")" "$viewer" "$task/Kill" "$steady" &&
    refused "$all" "$viewer" "$task/Kill" "$steady" && sees "$viewer" "$steady" RUNNING
}

# The answer must not show whether another user's container exists.
denies_others() {
  refused "$(front "$theirs-web")" "$viewer" "$task/State" "$theirs-web" &&
    refused "$all" "$viewer" "$task/State" "$theirs-web" &&
    refused "$all" "$viewer" "$task/State" "$theirs-none" &&
    refused "$all" "$viewer" "$task/Kill" "$theirs-web" &&
    refused "$all" "$viewer" "$task/Kill" "$theirs-none" &&
    refused "$all" "$named" "$task/State" "$steady"
}

misses_own() {
  same "an own one that does not exist" "NOT_FOUND: no workload $bed_namespace/$mine-none" \
    "$(state "$all" "$viewer" "$mine-none")"
}

sees_by_name() { bed_run "$named-web" && within sees "$named" "$named-web" RUNNING; }

# A container with the same id in another namespace is another one.
separates_namespaces() {
  CONTAINERD_NAMESPACE=$elsewhere bed_import && CONTAINERD_NAMESPACE=$elsewhere bed_run "$steady" &&
    within test -S "$base/$elsewhere/$steady.sock" || return
  refused "$base/$elsewhere/$steady.sock" "$viewer" "$task/State" "$steady" &&
    refused "$all" "$viewer" "$task/State" "$steady" "$key=$elsewhere" &&
    CONTAINERD_NAMESPACE=$elsewhere bed_remove "$steady" && within test ! -e "$base/$elsewhere"
}

closes_strangers() {
  local socket
  for socket in "$(front "$steady")" "$all"; do
    has "$socket" "UNAVAILABLE: ttrpc: closed" "$(state "$socket" "$stranger" "$steady")" || return
  done
}

needs_namespace() {
  has "without metadata" "INVALID_ARGUMENT: " \
    "$(ask "$all" "$viewer" "$task/State" "$steady" "")"
}

# watch asks for the state of a container on both sockets until $bed_files/watching is removed. Each
# answer is a line of $bed_files/watched.
watch() { # ID
  local socket
  while [[ -e $bed_files/watching ]]; do
    for socket in "$(front "$1")" "$all"; do state "$socket" "$viewer" "$1"; done
    sleep 0.1 # other tests run on this machine, too
  done >"$bed_files/watched"
}
start_watching() {
  : >"$bed_files/watching"
  watch "$steady" &
  watcher=$!
}
watched_well() {
  rm -f "$bed_files/watching"
  wait "$watcher"
  grep -v '"status":"RUNNING"' "$bed_files/watched" && return 1
  [[ $(wc -l <"$bed_files/watched") -ge 30 ]] || { echo "too few answers" && return 1; }
}

executes() {
  local n said running=() status=0
  for n in {1..8}; do
    timeout 60 ctr tasks exec --exec-id "exec$n" "$mine-web" echo "output $n" \
      >"$bed_files/exec$n" 2>&1 </dev/null &
    running+=($!)
  done
  for n in {1..8}; do
    wait "${running[n - 1]}" || status=1
    said=$(<"$bed_files/exec$n")
    same "exec $n" "output $n" "$said" || status=1
  done
  return "$status"
}

# direct ID METHOD REQUEST calls the shim itself, as root.
direct() {
  local address
  address=$(shim_of "$1")
  if [[ $address =~ \"address\":\ *\"([^\"]*)\" ]]; then address=${BASH_REMATCH[1]}; fi
  timeout 30 "$bed_files/ttrpc" call "$address" "$task/$2" -I "$bed_files" --proto task.proto \
    --proto task3.proto --compact --metadata "$key=$bed_namespace" -d "$3" 2>&1
}
executes_by_json() {
  local id=$mine-web container
  local process='{"args": ["sh", "-c", "echo ran >/tmp/by-json"], "env": ["PATH=/bin"], "cwd": "/"}'
  same Exec "{}" "$(direct "$id" Exec \
    "{\"id\": \"$id\", \"exec_id\": \"by-json\", \"spec\": $(bed_any Process "$process")}")" &&
    has Start '{"pid":' "$(direct "$id" Start "{\"id\": \"$id\", \"exec_id\": \"by-json\"}")" ||
    return
  container=$(direct "$id" State "{\"id\": \"$id\"}" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
  within grep -x ran "/proc/$container/root/tmp/by-json"
}
updates_by_json() {
  same Update "{}" "$(direct "$mine-web" Update \
    "{\"id\": \"$mine-web\", \"resources\": $(bed_any LinuxResources '{"cpu": {"shares": 512}}')}")"
}

pauses() {
  ctr tasks pause "$mine-web" && sees "$viewer" "$mine-web" PAUSED &&
    ctr tasks resume "$mine-web" && sees "$viewer" "$mine-web" RUNNING
}

# A container that has ended is there until it is deleted.
is_killed() {
  ctr tasks kill --signal SIGKILL "$mine-web" && within sees "$viewer" "$mine-web" STOPPED
}

comes_and_goes() {
  local n
  for n in {1..5}; do runs "$mine-short$n" && removed "$mine-short$n" || return; done
}

# restarts SIGNAL: the sockets stay the same while containerd is down, and afterwards.
restarts() {
  local before
  before=$(fronts)
  bed_stop "$1"
  sees "$viewer" "$steady" RUNNING && bed_start && same sockets "$before" "$(fronts)" &&
    sees "$viewer" "$steady" RUNNING && runs "$mine-after" && removed "$mine-after"
}

unreachable() { # ID
  has "its own socket" "UNAVAILABLE: " "$(state "$(front "$1")" "$viewer" "$1")" &&
    has "the socket for all" "UNAVAILABLE: " "$(state "$all" "$viewer" "$1")"
}

# containerd finds out about a shim that ended meanwhile when it starts, and removes its bundle.
outlives_shim() {
  local id=$mine-dead container shim
  runs "$id" || return
  container=$(state "$all" "$viewer" "$id" | sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
  shim=$(sed -n 's/^PPid:\t//p' "/proc/$container/status")
  same "the container's parent" containerd-shim "$(<"/proc/$shim/comm")" || return
  bed_stop KILL
  kill -KILL "$shim"
  within unreachable "$id" && sees "$viewer" "$steady" RUNNING && bed_start && within gone "$id" &&
    ctr containers rm "$id"
}

# A daemon that was killed leaves its sockets behind, and the next one replaces them.
replaces_daemon() {
  kill -KILL "$daemon"
  wait "$daemon"
  starts_daemon && within sees "$viewer" "$steady" RUNNING && listed "$theirs-web"
}

# The members of the pod are two containers of the viewer, and one of another user.
readonly pod=$mine-pod
makes_pod() {
  local id options=(--sandbox "$pod")
  if [[ $version == 1.6 ]]; then
    options=(--annotation "io.containerd.runc.v2.group=$pod")
    bed_run "$pod" "${options[@]}" || return
  else
    pods "$bed_socket" "$bed_namespace" create "$pod" && bed_run "$pod" || return
  fi
  for id in "$pod-a" "$pod-b" "$theirs-pod-c"; do bed_run "$id" "${options[@]}" || return; done
  within sees "$viewer" "$pod-a" RUNNING && within sees "$viewer" "$pod-b" RUNNING &&
    same "the shim of both" "$(shim_of "$pod-a")" "$(shim_of "$pod-b")"
}
shim_of() { # ID
  local bundle=$bed_bundles/$bed_namespace/$1
  cat "$bundle/bootstrap.json" 2>/dev/null || cat "$bundle/address"
}

# The shim would answer for each member of its pod, whichever front the request came through.
denies_other_member() {
  local method
  for method in State Stats; do
    refused "$(front "$pod-a")" "$viewer" "$task/$method" "$pod-b" &&
      refused "$(front "$pod-a")" "$viewer" "$task/$method" "$theirs-pod-c" || return
  done
  refused "$(front "$pod-a")" "$viewer" "$task/State" "" &&
    refused "$(front "$pod-a")" "$viewer" "$task/State" "$steady" &&
    refused "$all" "$viewer" "$task/State" "$theirs-pod-c"
}

# The pod's first container is its sandbox, and has a front for all members.
shows_members() {
  has "a member on the sandbox's front" '"status":"RUNNING"' \
    "$(state "$(front "$pod")" "$viewer" "$pod-a")" &&
    refused "$(front "$pod")" "$viewer" "$task/State" "$theirs-pod-c" &&
    refused "$(front "$pod")" "$viewer" "$task/State" "$steady" &&
    refused "$(front "$pod-a")" "$viewer" "$task/State" "$pod"
}

id_field() { # ID: the field 1 of a request, as bytes
  printf "\\x0a\\x$(printf %02x "${#1}")%s" "$1"
}
# Some servers would take the first id, others the last.
names_two() { # SOCKET ID ID
  { id_field "$2" && id_field "$3"; } >"$bed_files/two"
  has "$2, $3" "INVALID_ARGUMENT: payload cannot be checked: " \
    "$(call "$1" "$viewer" "$task/State" --raw -d "@$bed_files/two" \
      --metadata "$key=$bed_namespace")"
}
denies_two_names() {
  local socket
  for socket in "$(front "$pod-a")" "$all"; do
    names_two "$socket" "$pod-a" "$theirs-pod-c" && names_two "$socket" "$theirs-pod-c" "$pod-a" &&
      names_two "$socket" "$pod-a" "$pod-a" || return
  done
}

# The end of a member is not that of its shim.
loses_member() {
  removed "$pod-a" && sees "$viewer" "$pod-b" RUNNING
}

removes_pod() {
  removed "$pod-b" "$theirs-pod-c" && removed "$pod" || return
  if [[ $version != 1.6 ]]; then pods "$bed_socket" "$bed_namespace" remove "$pod"; fi
}

no_shim() {
  local shims
  shims=$(grep -lx containerd-shim /proc/[0-9]*/comm 2>/dev/null)
  same "shims" "" "$shims"
}
leaves_nothing() {
  removed "$steady" "$theirs-web" "$named-web" || return
  same "below $base" "" "$(find "$base" -mindepth 1 ! -name .lock)" && within no_more_descriptors &&
    within no_shim && bed_stop TERM
}

stops() {
  local status=0
  kill -TERM "$daemon"
  wait "$daemon" || status=$?
  same "exit status" 0 "$status" &&
    same "sockets" "" "$(find /run/ttrpc-proxy -type s)"
}

# A bundle comes in several steps. None of them is a reason to warn.
logs_no_warning() {
  ! grep -E '"level":"(warn|error)"' "$bed_files/daemon.log"
}

check "the schemas and the configuration" prepares
check "follows containerd $version, which comes later" follows_containerd
if [[ $failed -eq 0 ]]; then
  check "a container is served when it runs" runs "$steady"
  check "a container of another user" bed_run "$theirs-web"
  check "that one is listed" within listed "$theirs-web"
  check "its user reads its statistics" sees_statistics
  check "its user may not kill it" denies_kill
  check "its user sees no container of others" denies_others
  check "an own container that does not exist" misses_own
  check "{user} stands for the name" sees_by_name
  check "another namespace" separates_namespaces
  check "a user without a rule is closed" closes_strangers
  check "the socket for all needs a namespace" needs_namespace
  check "UNIMPLEMENTED stays UNIMPLEMENTED" stays_unimplemented
  start_watching
  check "a second container" runs "$mine-web"
  check "eight processes at once" executes
  check "a process that is given as JSON" executes_by_json
  check "limits that are given as JSON" updates_by_json
  check "pause and resume" pauses
  check "kill" is_killed
  check "delete" removed "$mine-web"
  check "containers come and go" comes_and_goes
  check "a pod" makes_pod
  check "a member's front refuses the other members" denies_other_member
  check "a request that names two members" denies_two_names
  check "a sandbox's front shows its members" shows_members
  check "a member goes" loses_member
  check "the pod goes" removes_pod
  check "containerd is restarted" restarts TERM
  check "containerd is killed" restarts KILL
  check "nothing of this was worth a warning" logs_no_warning
  check "a shim dies while containerd is down" outlives_shim
  check "one container was visible all the time" watched_well
  check "the daemon is killed" replaces_daemon
  check "nothing is left" leaves_nothing
  check "the daemon stops" stops
fi

conclude
