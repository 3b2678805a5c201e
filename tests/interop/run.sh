#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs each real client with each real server through the real ttrpc-proxyd, or without it
# (--direct), which shows what the upstream pair does alone. Then it runs the calls of upstream's
# Rust examples, and upstream's Go tests. The last line is `N passed, N failed, N skipped` and
# counts checks; a pair without its toolchain is one skip. The exit status is 1 if anything failed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

usage() {
	cat <<EOF
usage: run.sh [--direct] [--rows all|cpp] [--build DIR] [--proxyd PATH] [--client KIND] [--server KIND]
              [--upstream] [--build-only]
  --rows    cpp: only pairs with libttrpc at one end
  --build   the build directory; peers are built in DIR/interop (default: \$BUILD, or build beside the sources)
  --proxyd  the daemon under test (default: \$PROXYD, or DIR/daemon/ttrpc-proxyd)
  --upstream  only upstream's own Go tests, and the calls of its Rust examples
  KIND is cpp, go12, go11, rust-async or rust-sync
EOF
	exit 64
}

via=proxy build=${BUILD:-$here/../../build} proxyd=${PROXYD:-} build_only='' rows=all
# Everything runs unless an option chooses a part.
pairs=1 upstream=1
kinds=(cpp go12 go11 rust-async rust-sync)
clients=("${kinds[@]}") servers=("${kinds[@]}")
while (($#)); do
	case $1 in
	--direct) via=direct upstream='' ;;
	--rows) rows=${2:?} upstream='' && shift ;;
	--build) build=${2:?} && shift ;;
	--proxyd) proxyd=${2:?} && shift ;;
	--client) clients=("${2:?}") upstream='' && shift ;;
	--server) servers=("${2:?}") upstream='' && shift ;;
	--upstream) pairs='' ;;
	--build-only) build_only=1 ;;
	*) usage ;;
	esac
	shift
done

mkdir -p "$build/interop"
out=$(cd "$build/interop" && pwd)
proxyd=${proxyd:-$build/daemon/ttrpc-proxyd}
# shellcheck source-path=SCRIPTDIR source=build.sh
source "$here/build.sh"
# shellcheck source-path=SCRIPTDIR source=expectations.sh
source "$here/expectations.sh"
# shellcheck source-path=SCRIPTDIR source=upstream.sh
source "$here/upstream.sh"

find_cpp
build_all_go
build_rust
[[ -z $upstream ]] || build_upstream
[[ -z $build_only ]] || exit 0
if [[ $via == proxy && ! -x $proxyd ]]; then
	echo "no daemon at $proxyd" >&2
	exit 1
fi

# A temporary directory keeps the paths of sockets short.
work=$(mktemp -d "${TMPDIR:-/tmp}/interop.XXXXXX")
running=()
cleanup() {
	kill "${running[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

# start NAME COMMAND... runs a command for a limited time and waits until it prints the word
# `ready`. All its output goes to $work/NAME.log. Sets `started`.
start() {
	local name=$1 fifo=$work/$1.fifo line found=
	shift
	rm -f "$fifo"
	mkfifo "$fifo"
	: >"$work/$name.log"
	# In the background, timeout would pass a signal on twice, and the daemon exits at once on the
	# second.
	timeout --foreground -k 5 300 "$@" >"$fifo" 2>&1 &
	started=$!
	running+=("$started")
	exec {from}<"$fifo"
	while IFS= read -r -t 60 -u "$from" line; do
		echo "$line" >>"$work/$name.log"
		if [[ $line == *ready* ]]; then
			found=1
			break
		fi
	done
	cat <&"$from" >>"$work/$name.log" &
	running+=("$!")
	exec {from}<&-
	[[ -n $found ]] || return 1
}

# stop PID ends a process that `start` began, and returns its exit status.
stop() {
	local status=0
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || status=$?
	return $status
}

write_configuration() {
	cat >"$work/config.toml" <<EOF
[[listener]]
name    = "interop"
address = "unix://$work/proxy.sock"

[[backend]]
name        = "peer"
address     = "unix://$work/server.sock"
connections = "per-peer"

[[rule]]
name    = "everything"
users   = [$(id -u)]
methods = ["/*/*"]
action  = "allow"
backend = "peer"
streams = true
EOF
	chmod 600 "$work/config.toml"
}

passed=0 failed=0 skipped=0

# Prints the suite that both ends support.
suite_of() {
	case " $1 $2 " in
	*" example-"*) echo "${1#example-}" ;;
	*" go11 "* | *" rust-sync "*) echo unary ;;
	*) echo all ;;
	esac
}

# run_client CLIENT SERVER ADDRESS SUITE appends one line for each check to $work/results.
run_client() {
	local client=$1 server=$2 address=$3 suite=$4 name=$2 arguments planned reported=0 line status=0
	[[ $server != go12 ]] || name=go12@${version[go12]}
	mapfile -t arguments < <("${peer[$client]}" list --suite "$suite" | expect_arguments "$via" "$client" "$name")
	timeout -k 5 120 "${peer[$client]}" client --socket "$address" --suite "$suite" "${arguments[@]}" \
		>"$work/client.out" 2>"$work/client.log" || status=$?
	planned=$("${peer[$client]}" list --suite "$suite" | wc -l)
	while IFS= read -r line; do
		case $line in
		'ok '* | 'FAIL '*)
			echo "$line" >>"$work/results"
			reported=$((reported + 1))
			;;
		esac
	done <"$work/client.out"
	if ((reported != planned)); then
		echo "FAIL the client ended with status $status after $reported of $planned checks" >>"$work/results"
		tail -n 5 "$work/client.log" | sed 's/^/     /' >>"$work/results"
	fi
}

start_server() {
	rm -f "$work/server.sock"
	local suite=()
	[[ $1 != example-* ]] || suite=(--suite "${1#example-}")
	start server "${peer[$1]}" server --socket "unix://$work/server.sock" "${suite[@]}" || {
		echo "FAIL the server did not come up" >>"$work/results"
		return 1
	}
	server_pid=$started
}

# Without the daemon each check gets a server of its own, since some checks kill some upstream
# servers.
pair_directly() {
	local check
	for check in $("${peer[$1]}" list --suite "$3"); do
		start_server "$2" || return 0
		run_client "$1" "$2" "unix://$work/server.sock" "$check"
		stop "$server_pid" || true
	done
	# Only our own client must survive a killed server.
	[[ $1 == cpp ]] || return 0
	for check in $("${peer[$1]}" list --suite killed); do
		start_server "$2" || return 0
		# The shell would report the killed process.
		{ run_client "$1" "$2" "unix://$work/server.sock" "$check" && stop "$server_pid"; } 2>/dev/null || true
	done
}

pair_through_proxy() {
	local status=0
	start_server "$2" || return 0
	write_configuration
	if start proxyd "$proxyd" --config "$work/config.toml"; then
		local daemon_pid=$started
		run_client "$1" "$2" "unix://$work/proxy.sock" "$3"
		kill -0 "$server_pid" 2>/dev/null || echo "FAIL the server died" >>"$work/results"
		stop "$daemon_pid" || status=$?
		((status == 0)) || echo "FAIL the daemon ended with status $status" >>"$work/results"
	else
		echo "FAIL the daemon did not come up" >>"$work/results"
		stop "$started" || true
	fi
	stop "$server_pid" || true
	if grep -q '^FAIL' "$work/results"; then
		sed 's/^/     proxyd: /' "$work/proxyd.log" | tail -n 20 >>"$work/results"
	fi
}

# count_results CLIENT SERVER SUITE prints a line of the table, and the failed checks.
count_results() {
	local good bad
	good=$(grep -c '^ok ' "$work/results" || true)
	bad=$(grep -c '^FAIL ' "$work/results" || true)
	printf '%-14s %-14s %-7s %6d %6d\n' "$1" "$2" "$3" "$good" "$bad"
	grep -v '^ok ' "$work/results" || true
	passed=$((passed + good))
	failed=$((failed + bad))
}

run_pair() {
	local client=$1 server=$2 suite kind
	for kind in "$client" "$server"; do
		if [[ -n ${missing[$kind]:-} ]]; then
			printf 'SKIPPED %s calls %s: %s\n' "$client" "$server" "${missing[$kind]}"
			skipped=$((skipped + 1))
			return
		fi
	done
	suite=$(suite_of "$client" "$server")
	: >"$work/results"
	if [[ $via == direct ]]; then
		pair_directly "$client" "$server" "$suite"
	else
		pair_through_proxy "$client" "$server" "$suite"
	fi
	running=()
	count_results "$client" "$server" "$suite"
}

echo "interop, $([[ $via == direct ]] && echo 'without the daemon' || echo "through $proxyd")"
printf '%-14s %-14s %-7s %6s %6s\n' client server suite passed failed
[[ -n $pairs ]] || servers=()
for server in "${servers[@]}"; do
	for client in "${clients[@]}"; do
		[[ $rows == all || $client == cpp || $server == cpp ]] || continue
		run_pair "$client" "$server"
	done
done
if [[ -n $upstream ]]; then
	for kind in "${example_kinds[@]}"; do run_pair "$kind" "$kind"; done
	run_upstream
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
