#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests the daemon under a real systemd: tests/systemd/run.sh [--build DIR]
#
# It installs DIR (default: build; it must be built) into a machine of machine.sh, over a temporary
# overlay of this one. There it checks the units, and starts, reloads, restarts, kills and hangs the
# daemon, in front of a real shim whose socket is root's. The last line is `N passed, N failed, N
# skipped`; the exit status is 0 only if none failed.
set -uo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$top/build
if [[ ${1-} == --build ]]; then build=$(realpath "$2"); fi
# shellcheck source=tests/systemd/machine.sh
. "$top/tests/systemd/machine.sh"

problem=$(machine_problem)
if [[ -n $problem ]]; then
  echo "SKIP all: $problem"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi

work=$(mktemp -d)
trap 'machine_stop; rm -rf "$work"' EXIT
trap 'exit 1' TERM INT HUP

# shellcheck source=tests/support/checks.sh
. "$top/tests/support/checks.sh"

# within COMMAND… waits up to 20 s for a command to succeed.
within() {
  local tries=200
  until "$@" >"$work/within" 2>&1; do
    if ((--tries == 0)); then
      cat "$work/within"
      machine_run systemctl status --no-pager -l "$unit"
      return 1
    fi
    sleep 0.1
  done
}

readonly unit=ttrpc-proxy.service task=/containerd.task.v2.Task viewer=www-data
readonly main_socket=/run/ttrpc-proxy/main.sock shims=/run/ttrpc-proxy/shims.sock

option() { # NAME: a built-in option of the build
  meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys
print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}
prefix=$(option prefix)
sysconfdir=$(option sysconfdir)
[[ $sysconfdir == /* ]] || sysconfdir=$prefix/$sysconfdir
config=$sysconfdir/ttrpc-proxy/config.toml

property() { machine_run systemctl show --value --property "$1" "$unit"; }
# `is PROPERTY VALUE` compares a property of the unit.
is() { same "$1" "$2" "$(property "$1")"; }
# Another process than that one runs and is ready. Both properties are read at once, since the
# process may be ending.
other_pid() { # PID
  local now
  now=$(machine_run systemctl show --property ActiveState --property MainPID "$unit" | sort)
  [[ $now == $'ActiveState=active\nMainPID='[1-9]* && $now != *=$1 ]] || { echo "$now" && return 1; }
}
journal() { machine_run journalctl --no-pager -o cat -u "$unit"; }
journal_has() { has journal "$1" "$(journal)"; }

configure() { cat >"$machine_root$config"; }
drop_in() { # NAME; standard input becomes the daemon's drop-in of that name
  mkdir -p "$machine_root/etc/systemd/system/$unit.d"
  cat >"$machine_root/etc/systemd/system/$unit.d/$1.conf"
  machine_run systemctl daemon-reload
}
no_drop_in() {
  rm -f "$machine_root/etc/systemd/system/$unit.d/$1.conf"
  machine_run systemctl daemon-reload
}

# call SOCKET USER METHOD makes a call as that user and prints its outcome.
call() {
  machine_run setpriv --reuid="$2" --regid="$(id -g "$2")" --clear-groups \
    timeout 30 "$prefix/bin/ttrpc" call "unix://$1" "$task/$3" -I /srv --proto task.proto \
    -d '{"id": "test"}' --compact 2>&1
}
answers() { # SOCKET USER METHOD WANTED
  has "$3 of $2" "$4" "$(call "$1" "$2" "$3")"
}
shim_answers() { answers "$1" root Connect "\"shimPid\":$shim_pid"; }

access() { # PATH WANTED; owner, group, mode
  same "$1" "$2" "$(machine_run stat -c '%U %G %a' "$1")"
}

install_all() { meson install -C "$build" --no-rebuild --destdir "$work/layer"; }

boots() { mkdir "$work/machine" && machine_start / "$work/machine" "$work/layer"; }

verifies() {
  local said man=yes
  # systemd-analyze also checks that the manual pages exist, for which it needs `man`.
  command -v man >/dev/null || man=no
  said=$(machine_run systemd-analyze verify --man=$man "$unit" ttrpc-proxy.socket 2>&1) || return
  same "systemd-analyze verify" "" "$said"
}

exposure() { # AT_MOST, in tenths
  machine_run systemd-analyze security --offline=true --no-pager --threshold="$1" "$unit" |
    tee "$work/security" | tail -n 1
  return "${PIPESTATUS[0]}"
}

# Each complaint of `systemd-analyze security` is explained by its name in a comment of the unit.
reasons() {
  local name left status=0
  left=$(machine_run systemd-analyze security --offline=true --no-pager "$unit" |
    sed -n 's/^✗ \([^ ]*\) .*/\1/p')
  [[ -n $left ]] || return
  for name in $left; do
    case $name in
      *@privileged) name=@chown ;;
      *DAC_*) name=CAP_DAC_OVERRIDE ;;
      *CHOWN*) name=CAP_CHOWN ;;
      *AF_UNIX) name=AF_UNIX ;;
      *INET*) name=AF_INET ;;
      *…) name=AF_VSOCK ;;
      */*) name=${name%%/*} ;;
    esac
    grep -q "^# .*$name" "$top/systemd/ttrpc-proxy.service.in" ||
      { echo "no comment on $name" && status=1; }
  done
  return "$status"
}

# The unit lists every socket family of the headers as forbidden, except for four.
families() {
  diff <(echo '#include <sys/socket.h>' | cpp -dM | sed -n 's/^#define \(AF_[A-Za-z0-9_]*\) .*/\1/p' |
    grep -vxE 'AF_(UNSPEC|LOCAL|FILE|ROUTE|MAX|UNIX|INET|INET6|VSOCK)' | sort) \
    <(sed -n 's/^RestrictAddressFamilies=~//p' "$top/systemd/ttrpc-proxy.service.in" | tr ' ' '\n' | sort)
}

# confined FAMILY… runs as the daemon does. It can use only these socket families, write only in the
# daemon's directories, and make the system calls by which the daemon confines itself further.
confined() {
  local here
  cp "$top/tests/systemd/inside.py" "$machine_root/srv/inside.py"
  here=$(machine_run python3 /srv/inside.py | grep -E "^($(printf '%s|' "$@")none)( |\$)")
  drop_in inside <<<"[Service]
ExecStartPre=/bin/sh -c 'exec python3 /srv/inside.py $* >/run/ttrpc-proxy/inside'"
  machine_run systemctl restart "$unit"
  no_drop_in inside
  same "inside" "$here
/run/ttrpc-proxy/x
/var/log/ttrpc-proxy/x
landlock allowed
mount refused" "$(machine_run cat /run/ttrpc-proxy/inside)"
  local status=$?
  machine_run rm /run/ttrpc-proxy/inside
  return "$status"
}

# The scripts of a package do the same.
makes_group_and_folder() {
  machine_run systemd-sysusers && machine_run systemd-tmpfiles --create &&
    machine_run getent group ttrpc-proxy && access /run/ttrpc-proxy "root root 755"
}

starts_as_installed() {
  machine_run systemctl start "$unit" && is ActiveState active && is SubState running &&
    access /run/ttrpc-proxy "root root 755" && access /var/log/ttrpc-proxy "root root 700" &&
    has "status" ", running for " "$(machine_run "$prefix/bin/ttrpc-proxyctl" status 2>&1)" &&
    # The environment of the test decides how much of the limit the daemon gets.
    is LimitNOFILE 65536
}

# The journal has the time of each line itself, and takes the priority off it.
ready_line() {
  has "the journal" $'\nready: ' \
    $'\n'"$(machine_run journalctl --no-pager -o cat -u "$unit" PRIORITY=6)"
}

# Starts a shim as containerd would; see tests/demo.sh.
start_shim() {
  local address
  # shellcheck disable=SC2016
  address=$(machine_run bash -c '
    mkdir -p /srv/bundle && cd /srv/bundle && mkfifo log && (cat log >/srv/shim.log 2>&1 &) &&
    echo "{\"ociVersion\":\"1.0.2\",\"process\":{\"cwd\":\"/\",\"args\":[\"true\"]},\"root\":{\"path\":\"r\"}}" \
      >config.json &&
    TTRPC_ADDRESS=/none containerd-shim-runc-v2 -namespace test -id test -address /none \
      -publish-binary /bin/true start </dev/null') || return
  shim=${address#unix://}
  cat >"$machine_root/srv/task.proto" <<'PROTO'
syntax = "proto3";
package containerd.task.v2;
import "google/protobuf/empty.proto";
service Task {
  rpc Connect(Id) returns (ConnectResponse);
  rpc State(Id) returns (google.protobuf.Empty);
  rpc Shutdown(Id) returns (google.protobuf.Empty);
}
message Id { string id = 1; }
message ConnectResponse { uint32 shim_pid = 1; }
PROTO
  same "the shim's socket" "root root 600" "$(machine_run stat -c '%U %G %a' "$shim")" || return
  local reply
  reply=$(call "$shim" root Connect) || { echo "$reply" && return 1; }
  shim_pid=${reply//[^0-9]/}
}

rules() {
  cat <<TOML
[audit]
calls = "all"
target = "file:/var/log/ttrpc-proxy/audit.json"

[[backend]]
name = "shim"
address = "unix://$shim"

[[rule]]
name = "root"
users = ["root"]
methods = ["$task/*"]
action = "allow"
backend = "shim"

[[rule]]
name = "look"
users = ["$viewer"]
methods = ["$task/State"]
action = "allow"
backend = "shim"
TOML
}

listener() { # MODE
  printf '[[listener]]\nname = "shims"\naddress = "unix://%s"\n' "$shims"
  printf 'owner = "%s"\ngroup = "ttrpc-proxy"\nmode = "%s"\n' "$viewer" "$1"
}

reloads() {
  local pid
  pid=$(property MainPID)
  { rules && listener 0660; } | configure
  machine_run systemctl reload "$unit" && within access "$shims" "$viewer ttrpc-proxy 660" &&
    is MainPID "$pid"
}

serves_shim() {
  answers "$shims" "$viewer" State NOT_FOUND &&
    answers "$shims" "$viewer" Shutdown "PERMISSION_DENIED: uid $(id -u "$viewer") may not call" &&
    within machine_run grep -q '"event":"deny"' /var/log/ttrpc-proxy/audit.json &&
    access /var/log/ttrpc-proxy/audit.json "root root 600"
}

# The socket now belongs to another user, and the daemon has no rights over other users' files.
reloads_access() {
  { rules && listener 0666; } | configure
  machine_run systemctl reload "$unit" && within access "$shims" "$viewer ttrpc-proxy 666" &&
    shim_answers "$shims"
}

refuses_bad_reload() {
  local pid
  pid=$(property MainPID)
  { rules && listener 0666 && echo 'nonsense = 1'; } | configure
  if machine_run systemctl reload "$unit"; then echo "it succeeded" && return 1; fi
  within journal_has "nonsense" && is ActiveState active && is MainPID "$pid" &&
    shim_answers "$shims" || return
  # The file is correct. Only the daemon knows that the sandbox does not permit it.
  { rules && listener 0666 && printf '[[listener]]\nname = "x"\naddress = "unix:///srv/x.sock"\n'; } |
    configure
  if machine_run systemctl reload "$unit"; then echo "it succeeded outside the sandbox" && return 1; fi
  within journal_has "needs a restart: /srv is outside the sandbox" && shim_answers "$shims" || return
  { rules && listener 0666; } | configure
  machine_run chmod o+w "${config%/*}/conf.d" # the unit shows the daemon alone a read-only /etc
  if machine_run systemctl reload "$unit"; then echo "it read what others may write" && return 1; fi
  machine_run chmod o-w "${config%/*}/conf.d"
  within journal_has "conf.d: error: the directory is writable by others" && machine_run systemctl reload "$unit"
}

restarts() {
  local pid
  pid=$(property MainPID)
  { rules && listener 0666; } | configure
  machine_run systemctl restart "$unit" && other_pid "$pid" && shim_answers "$shims"
}

# A killed daemon leaves a socket of another user's. The next daemon cannot connect to it to find
# out whether anyone listens.
recovers_from_kill() {
  local pid
  { rules && listener 0600; } | configure
  machine_run systemctl restart "$unit" && pid=$(property MainPID) &&
    machine_run systemctl kill --kill-who=main --signal=KILL "$unit" && within other_pid "$pid" &&
    access "$shims" "$viewer ttrpc-proxy 600" && answers "$shims" "$viewer" State NOT_FOUND
}

# systemd kills a daemon that hangs and starts it again.
recovers_from_hanging() {
  local pid
  { rules && listener 0666; } | configure
  drop_in watchdog <<<$'[Service]\nWatchdogSec=1s'
  machine_run systemctl restart "$unit" && is WatchdogUSec 1s && pid=$(property MainPID) &&
    machine_run kill -STOP "$pid" && within other_pid "$pid" &&
    within journal_has "Watchdog timeout" && shim_answers "$shims"
  local status=$?
  no_drop_in watchdog
  return "$status"
}

# The unit leaves what discovery needs, also for directories of containerd that appear later.
follows_workloads() {
  local base=/run/ttrpc-proxy/workloads tasks=/run/containerd/io.containerd.runtime.v2.task
  local front=$base/test/test.sock status=0
  { rules | sed 's|^address = .*|address = "discovered"|' && printf '%s\n' '[[listener]]' \
    'name = "workloads"' 'discover = "containerd"' 'mode = "0666"' \
    "address = \"unix://$base/{namespace}/{id}.sock\""; } | configure
  machine_run systemctl restart "$unit" && machine_run mkdir -p "$tasks/test/test" &&
    machine_run bash -c "printf %s unix://$shim >$tasks/test/test/address" &&
    within access "$front" "root root 666" && shim_answers "$front" &&
    answers "$front" "$viewer" State NOT_FOUND &&
    answers "$front" "$viewer" Shutdown "PERMISSION_DENIED: uid $(id -u "$viewer") may not call" &&
    machine_run rm -r "$tasks/test" && within machine_run test ! -e "$base/test" || status=1
  machine_run systemctl stop "$unit"
  machine_run rm -rf "$tasks" "$base"
  return "$status"
}

# systemd owns the socket: a client that connects while no daemon runs waits.
activates() {
  { rules && printf '[[listener]]\nname = "main"\naddress = "systemd:main"\n'; } | configure
  machine_run systemctl stop "$unit" && machine_run systemctl start ttrpc-proxy.socket &&
    access "$main_socket" "root ttrpc-proxy 660" && is ActiveState inactive &&
    shim_answers "$main_socket" && is ActiveState active
}

queues_while_restarting() {
  local status=0
  machine_run mkfifo /run/go
  drop_in slow <<<$'[Service]\nExecStartPre=/bin/cat /run/go'
  client_waits || status=1
  no_drop_in slow
  machine_run timeout 5 bash -c ': >/run/go'
  [[ $status -eq 0 ]] && wait "$client" &&
    has "the answer" "\"shimPid\":$shim_pid" "$(<"$work/queued")" && is ActiveState active
}
client_waits() {
  machine_run systemctl restart --no-block "$unit" && within is SubState start-pre || return
  call "$main_socket" root Connect >"$work/queued" &
  client=$!
  within queued && same "what the client has got" "" "$(<"$work/queued")" &&
    kill -0 "$client" && is SubState start-pre
}
queued() { # its connection has the socket's name until it is accepted
  [[ $(machine_run grep -c " $main_socket\$" /proc/net/unix) -eq 2 ]]
}

# Stopping the daemon removes neither systemd's socket nor the directory.
leaves_socket() {
  machine_run systemctl stop "$unit" && access "$main_socket" "root ttrpc-proxy 660" &&
    shim_answers "$main_socket"
}

# A wrong configuration is not tried again and again.
stays_down() {
  machine_run systemctl stop ttrpc-proxy.socket "$unit" && echo 'nonsense = 1' | configure
  if machine_run systemctl start "$unit"; then echo "it started" && return 1; fi
  is ActiveState failed && is ExecMainStatus 78 && is NRestarts 0 && is Result exit-code &&
    machine_run systemctl reset-failed "$unit"
}

# The user database may answer late: the unit tries again until the name resolves.
waits_for_names() {
  { rules && listener 0666 && printf '[[rule]]\nname = "late"\nusers = ["late-user"]\n' &&
    printf 'methods = ["%s/*"]\naction = "deny"\n' "$task"; } | configure
  if machine_run systemctl start "$unit"; then echo "it started" && return 1; fi
  within restarted 2 && within journal_has "status=75/TEMPFAIL" && within journal_has "exiting in 500 ms" &&
    machine_run useradd --system late-user && within is ActiveState active &&
    shim_answers "$shims" && within machine_run test ! -e /run/ttrpc-proxy/failed-starts
}
restarted() { # AT_LEAST
  local times
  times=$(property NRestarts)
  [[ $times -ge $1 ]] || { echo "restarted $times times" && return 1; }
}

# Before its first statement, any of these signals ends the daemon. systemd starts it again.
survives_early_signals() {
  local number status=0
  { rules && listener 0666; } | configure
  for number in HUP USR1 USR2; do
    drop_in early <<<"[Service]
ExecStart=
ExecStart=/bin/sh -c 'test -e /run/ttrpc-proxy/early || { : >/run/ttrpc-proxy/early; kill -$number \$\$\$\$; }; exec $prefix/sbin/ttrpc-proxyd --config $config'"
    machine_run rm -f /run/ttrpc-proxy/early
    machine_run systemctl stop "$unit" && { machine_run systemctl start "$unit" || true; } &&
      machine_run test -e /run/ttrpc-proxy/early && within is ActiveState active &&
      shim_answers "$shims" || status=1
  done
  no_drop_in early
  machine_run rm -f /run/ttrpc-proxy/early
  return "$status"
}

# A directory is read-only to the service. The last line names a setting that helps.
names_drop_in() {
  local wanted='ReadWritePaths=/var/log/elsewhere in a drop-in (systemctl edit ttrpc-proxy.service)'
  { rules && listener 0666; } | configure
  machine_run mkdir /var/log/elsewhere && machine_run systemctl restart "$unit" || return
  { rules && listener 0666; } | sed 's|/var/log/ttrpc-proxy/|/var/log/elsewhere/|' | configure
  if machine_run systemctl reload "$unit"; then echo "it reloaded" && return 1; fi
  within journal_has "is outside the sandbox; the service needs $wanted" && is ActiveState active || return
  if machine_run systemctl restart "$unit"; then echo "it started" && return 1; fi
  is ActiveState failed && is ExecMainStatus 78 && is NRestarts 0 &&
    within last_line "the service needs $wanted" || return
  drop_in elsewhere <<<$'[Service]\nReadWritePaths=/var/log/elsewhere'
  machine_run systemctl restart "$unit" && shim_answers "$shims" &&
    access /var/log/elsewhere/audit.json "root root 600"
  local status=$?
  no_drop_in elsewhere
  return "$status"
}
last_line() { # TEXT
  same "last line" "$1" "$(machine_run journalctl --no-pager -o cat -u "$unit" \
    SYSLOG_IDENTIFIER=ttrpc-proxyd | tail -n 1)"
}

# A wrong configuration is not tried without end, even if a client waits.
socket_gives_up() {
  machine_run systemctl stop "$unit" && machine_run systemctl start ttrpc-proxy.socket &&
    echo 'nonsense = 1' | configure
  call "$main_socket" root Connect >"$work/refused"
  within gave_up
  local status=$?
  machine_run systemctl stop ttrpc-proxy.socket
  machine_run systemctl reset-failed ttrpc-proxy.socket "$unit"
  return "$status"
}
gave_up() {
  same "the socket" trigger-limit-hit \
    "$(machine_run systemctl show --value --property Result ttrpc-proxy.socket)"
}

serves_unix_only() {
  { rules && printf '[[listener]]\nname = "shims"\naddress = "unix://%s"\nowner = "root"\nmode = "0666"\n' \
    "$shims"; } | configure
  mkdir -p "$machine_root/etc/systemd/system/$unit.d"
  machine_run ln -s "$prefix/share/ttrpc-proxy/unix-only.conf" "/etc/systemd/system/$unit.d/" &&
    machine_run systemctl daemon-reload && machine_run systemctl restart "$unit" &&
    access "$shims" "root root 666" && shim_answers "$shims" &&
    answers "$shims" "$viewer" State NOT_FOUND || return
  has capabilities $'CapBnd:\t0000000000000002' "$(machine_run cat "/proc/$(property MainPID)/status")"
}

stops() {
  machine_run systemctl stop "$unit" && is Result success && is ExecMainStatus 0 &&
    same "files left" "" "$(machine_run ls -A /run/ttrpc-proxy)" &&
    same "failed units" "" "$(machine_run systemctl --failed --plain --no-legend)"
}

check "installs" install_all
check "boots" boots
if [[ $failed -eq 0 ]]; then
  check "systemd-analyze verify prints nothing" verifies
  check "exposure is at most 2.1" exposure 21
  check "each remaining exposure has a reason" reasons
  check "only four socket families" families
  check "group and directory" makes_group_and_folder
  check "starts as it is installed" starts_as_installed
  check "lines have no time of their own" within ready_line
  check "is confined" confined UNIX VSOCK INET INET6
  check "a real shim" start_shim
  check "reloads" reloads
  check "serves the shim" serves_shim
  check "reload changes the mode of another user's socket" reloads_access
  check "a bad configuration fails the reload and nothing else" refuses_bad_reload
  check "restarts" restarts
  check "is started again when it is killed" recovers_from_kill
  check "is started again when it hangs" recovers_from_hanging
  check "follows workloads of containerd" follows_workloads
  check "is activated by its socket" activates
  check "connections wait while it restarts" queues_while_restarting
  check "systemd's socket stays when it stops" leaves_socket
  check "a bad configuration is not tried again" stays_down
  check "waits for a name that resolves later" waits_for_names
  check "signals before its first statement" survives_early_signals
  check "a read-only directory names the drop-in" names_drop_in
  check "a socket does not start a wrong configuration without end" socket_gives_up
  check "serves with unix-only.conf" serves_unix_only
  check "is confined with unix-only.conf" confined UNIX
  check "exposure is at most 1.3 with unix-only.conf" exposure 13
  check "systemd-analyze verify prints nothing with unix-only.conf" verifies
  check "stops and leaves nothing" stops
fi

conclude
