# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Upstream's own Go tests, with the daemon between their clients and their servers. The sources are
# the pinned module, fetched and verified by Go's own tools. The only change is how a client
# connects. Each test is a process of its own, so that one that hangs does not stop the others.

# run.sh sets `here`, `out`, `work` and `proxyd`, and counts what is written to $work/results.
# shellcheck disable=SC2154
readonly upstream_version=v1.2.10 upstream_seconds=60
# Upstream's tests make 33 calls that reach a server. Fewer would mean that a client bypassed the
# daemon.
readonly upstream_calls=30

# through_daemon PACKAGE FILE makes the only call of net.Dial in a test file of that package dial
# the daemon.
through_daemon() {
	local places
	places=$(grep -c 'net\.Dial("unix", addr)' "$2" || true)
	if [[ $places != 1 ]]; then
		echo "$2: expected one place that connects, not $places" >&2
		exit 1
	fi
	sed -i 's/net\.Dial("unix", addr)/dialThroughDaemon(addr)/' "$2"
	sed "s/^package .*/package $1/" "$here/go/upstream/dial.go" >"$(dirname "$2")/dial_test.go"
}

# Upstream's tests are built in a copy of the module, with the versions in its own go.sum.
build_upstream() {
	local folder=$out/upstream-$upstream_version module=github.com/containerd/ttrpc sources stamp
	if [[ -n ${missing[go12]:-} ]]; then
		missing[upstream]=${missing[go12]}
		return
	fi
	if [[ ${version[go12]} != "$upstream_version" ]]; then
		missing[upstream]="Go is $(go_version), ttrpc $upstream_version needs 1.25"
		return
	fi
	stamp="$(go_version) $(fingerprint "$here/upstream.sh" "$here/go/upstream/dial.go" \
		"$here/go/ttrpc12/$upstream_version.sum")"
	if [[ $(cat "$folder/stamp" 2>/dev/null) != "$stamp" ]]; then
		rm -rf "$folder"
		sources=$(cd "$out/go12-$upstream_version" && GOTOOLCHAIN=local go mod download $module &&
			GOTOOLCHAIN=local go list -mod=readonly -m -f '{{.Dir}}' $module)
		cp -r "$sources" "$folder"
		chmod -R u+w "$folder"
		through_daemon ttrpc "$folder/server_test.go"
		through_daemon integration "$folder/integration/streaming_test.go"
		(
			cd "$folder" || exit
			export GOFLAGS='-mod=readonly -buildvcs=false' GOTOOLCHAIN=local
			go test -c -o core.test .
			go test -c -o integration.test ./integration
		)
		echo "$stamp" >"$folder/stamp"
	fi
	echo "Go $(go_version): the tests of ttrpc $upstream_version"
}

# upstream_rule TEST FRONT ADDRESS prints a listener for that test, with the test's server as the
# backend.
upstream_rule() {
	cat <<EOF

[[listener]]
name    = "$1"
address = "unix://$work/fronts/$2"

[[backend]]
name        = "$1"
address     = "$3"
connections = "per-peer"

[[rule]]
name      = "$1"
listeners = ["$1"]
users     = [$(id -u)]
methods   = ["/*/*"]
action    = "allow"
backend   = "$1"
streams   = true
EOF
}

# Reads lines `PROGRAM TEST`. Upstream's core tests listen on abstract names, the others on files in
# the working directory.
write_upstream_configuration() {
	local program test
	printf '[audit]\ncalls  = "all"\ntarget = "file:%s"\n' "$work/audit.json"
	while read -r program test; do
		case $program in
		core) upstream_rule "$test" "$test" "unix-abstract:$test" ;;
		*) upstream_rule "$test" "$test.sock" "unix://$work/$test.sock" ;;
		esac
	done
}

# upstream_test PROGRAM TEST writes one line to $work/results, and prints the end of a failed test's
# output.
upstream_test() {
	local log=$work/test.log status=0
	(cd "$work" && UPSTREAM_FRONTS=$work/fronts "${alone[@]}" timeout -k 5 $upstream_seconds \
		"$out/upstream-$upstream_version/$1.test" -test.v -test.run "^$2\$") >"$log" 2>&1 </dev/null || status=$?
	if ((status == 0)) && grep -q "^--- PASS: $2 " "$log"; then
		echo "ok $2" >>"$work/results"
	else
		echo "FAIL $2 ended with status $status" >>"$work/results"
		tail -n 20 "$log" | sed 's/^/     /' >>"$work/results"
	fi
}

upstream_through_proxy() {
	local program test calls status=0 alone=() daemon_pid
	# Abstract names belong to a network namespace. In a new one, two runs do not conflict.
	if start alone unshare --net bash -c 'echo "ready $$" && exec sleep 300'; then
		alone=(nsenter "--net=/proc/$(sed -n 's/^ready //p' "$work/alone.log")/ns/net" --)
	fi
	mkdir -p "$work/fronts"
	write_upstream_configuration <"$work/tests" >"$work/config.toml"
	chmod 600 "$work/config.toml"
	start proxyd "${alone[@]}" "$proxyd" --config "$work/config.toml" || {
		echo "FAIL the daemon did not come up" >>"$work/results"
		return
	}
	daemon_pid=$started
	while read -r program test; do upstream_test "$program" "$test"; done <"$work/tests"
	stop "$daemon_pid" || status=$?
	((status == 0)) || echo "FAIL the daemon ended with status $status" >>"$work/results"
	calls=$(grep -c '"event":"call"' "$work/audit.json" || true)
	if ((calls >= upstream_calls)); then
		echo "ok calls went through the daemon" >>"$work/results"
	else
		echo "FAIL the daemon saw $calls calls, expected at least $upstream_calls" >>"$work/results"
	fi
}

run_upstream() {
	local program
	if [[ -n ${missing[upstream]:-} ]]; then
		echo "SKIPPED upstream's Go tests: ${missing[upstream]}"
		skipped=$((skipped + 1))
		return
	fi
	: >"$work/results"
	for program in core integration; do
		"$out/upstream-$upstream_version/$program.test" -test.list '^Test' | sed "s/^/$program /"
	done >"$work/tests"
	upstream_through_proxy
	if grep -q '^FAIL' "$work/results"; then
		sed 's/^/     proxyd: /' "$work/proxyd.log" | tail -n 20 >>"$work/results"
	fi
	count_results go-tests "$upstream_version" all
}
