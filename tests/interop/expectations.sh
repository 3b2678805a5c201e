# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Outcomes of pairs that differ from what the checks expect by default, each with its reason. By
# default the checks expect what contract.md promises through the proxy. `direct` rows describe the
# upstream pair alone. A row for both is a server's own answer, which the proxy forwards unchanged.
#
# expect VIA CLIENT SERVER CHECK OUTCOME REASON
#   VIA is direct, proxy or both; CLIENT, SERVER and CHECK are patterns; the first row that matches wins.
#   A Go 1.2 server is called go12@VERSION here. OUTCOME may be `A|B` where upstream has a race.

expectation_rows=()

expect() {
	expectation_rows+=("$(printf '%s\t' "$1" "$2" "$3" "$4")$5")
}

too_long='message length 4194305 exceed maximum message size of 4194304, open'
too_many='one message too many'

expect direct '*' '*' metadata-reserved 'passed' \
	'only the proxy knows that this prefix is its own'

expect both '*' 'go12@*' oversized-reply 'closed' \
	'Go 1.2 closes the connection rather than send a message that is too long'
expect both '*' 'go12@*' range-oversized 'closed' \
	'the same, for a message of a stream'
expect direct go11 go11 oversized-reply 'panic' \
	'Go 1.1 sends whatever it has, and its client slices a buffer that it never made'
expect direct 'rust-*' go11 oversized-reply 'INVALID_ARGUMENT, open' \
	'Go 1.1 sends it, and the client discards it, but names it by another code than Go'
expect both '*' 'rust-*' oversized-reply 'INVALID_ARGUMENT, open' \
	'the server replaces the reply by this status'
expect both '*' rust-async range-oversized 'INVALID_ARGUMENT, open' \
	'the server ends the stream with this status'

expect direct '*' 'rust-*' oversized-raw "INVALID_ARGUMENT $too_long" \
	'ttrpc-rust discards the call as Go does, but with another code'
expect direct go11 'rust-*' oversized-call "INVALID_ARGUMENT $too_long" \
	'the same: Go 1.1 is the only library that sends such a call'

expect both '*' rust-async unknown-service 'INVALID_ARGUMENT interop.v1.Missing service does not exist' \
	'the words of the asynchronous Rust server'
expect both '*' rust-async unknown-method 'UNIMPLEMENTED Missing method' \
	'the words of the asynchronous Rust server'
expect both '*' rust-sync unknown-service 'INVALID_ARGUMENT /interop.v1.Missing/Echo does not exist' \
	'the words of the synchronous Rust server'
expect both '*' rust-sync unknown-method 'INVALID_ARGUMENT /interop.v1.Echo/Missing does not exist' \
	'the words of the synchronous Rust server, for which a method is a path'

expect direct rust-async 'go12@*' concurrent 'ok|INVALID_ARGUMENT StreamID cannot be re-used and must increment' \
	'the client draws an id before it queues the request, so ids leave it out of order; Go 1.2 refuses those'

for check in 'sum-*' 'chat-[014]*' half-close count early-end early-status chats-at-once; do
	expect direct go12 rust-async "$check" "$too_many" \
		'Go opens with remote open only; the server takes a request without the no-data flag for a first message'
done

expect direct rust-async rust-async stream-deadline 'nothing, open' \
	'ttrpc-rust sends the timeout of a stream, and neither its client nor its server keeps it'

expect direct '*' go12@v1.2.7 early-end 'end of stream, open|end of stream, then closed' \
	'Go 1.2.7 dies when data for an ended stream reaches it'
expect direct '*' go12@v1.2.7 early-status 'RESOURCE_EXHAUSTED, open|RESOURCE_EXHAUSTED, then closed' \
	'Go 1.2.7 dies when data for an ended stream reaches it'

# Reads checks from standard input, and prints --expect arguments for VIA CLIENT SERVER, one on each
# line.
expect_arguments() {
	local via=$1 client=$2 server=$3 check row row_via row_client row_server row_check outcome
	while read -r check; do
		for row in "${expectation_rows[@]}"; do
			IFS=$'\t' read -r row_via row_client row_server row_check outcome <<<"$row"
			# shellcheck disable=SC2053 # patterns on purpose
			if [[ ($row_via == both || $row_via == "$via") && $client == $row_client &&
				$server == $row_server && $check == $row_check ]]; then
				printf -- '--expect\n%s=%s\n' "$check" "$outcome"
				break
			fi
		done
	done
}
