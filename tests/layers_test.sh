#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Tests tests/layers.sh with a small tree that is in order, then with one violation at a time.
set -euo pipefail

layers=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failures=0

# put FILE LINE…: a file of the tree, with an SPDX line before what is given.
put() {
  local file=$tree/$1
  shift
  mkdir -p "$(dirname "$file")"
  printf '%s\n' '// SPDX-License-Identifier: Apache-2.0' "$@" >"$file"
}

fresh_tree() {
  rm -rf "${tree:?}"/*
  put libttrpc/include/ttrpc/status.h '#include <string>'
  put libttrpc/include/ttrpc/wire/connection.h '#include "ttrpc/status.h"' 'struct event_base;'
  put libttrpc/include/ttrpc/address.h '#include "ttrpc/status.h"'
  put libttrpc/src/address.cc '#include <sys/un.h>'
  put libttrpc/src/field_scanner.h
  put libttrpc/src/connection.cc '#include "ttrpc/wire/connection.h"' '#include <event2/event.h>' \
    '#include <sys/socket.h>' '#include "field_scanner.h"'
  put daemon/config/config.h '#include <ttrpc/address.h>' '#include <toml++/toml.h>'
  put daemon/policy/policy.cc '#include "policy/policy.h"' '#include "config/config.h"' \
    'auto f = [&](int x) { return a[x] == 1; };  // no [=], no shared_ptr, "http://x"'
  put daemon/proxy/proxy.cc '#include <ttrpc/wire/connection.h>' '#include "policy/policy.h"' \
    'std::shared_ptr<const Config> config_; std::string s = "shared_ptr [=]";'
  put daemon/observe/log.cc 'std::shared_ptr<spdlog::logger> logger;'
  put daemon/ctl/admin_connection.cc '#include "config/config.h"' '#include "policy/policy.h"' \
    '#include "tool/standard_output.h"' '#include "text/escape.h"' '#include "admin/admin.pb.h"' \
    '#include "ctl/admin_connection.h"'
  put libttrpc/text/escape.cc '#include "text/escape.h"' '#include "ttrpc/status.h"'
  put libttrpc/tool/call_command.cc '#include "text/escape.h"'
  put daemon/config/admin_metrics_reader.cc '#include <arpa/inet.h>'
  put daemon/main.cc '#include <event2/event.h>' '#include "run/signals.h"'
  put tests/daemon/policy_test.cc '#include "support/policy_builder.h"' 'std::shared_ptr<int> p;'
  printf '    %s/  what it is\n' libttrpc/{include,src,text,tool} \
    daemon/{config,policy,limits,observe,discovery,proxy,admin,http,sandbox,run,ctl} >"$tree/CONTRIBUTING.md"
}

# expect OUTPUT checks what layers.sh prints about the tree: nothing if the tree is in order.
expect() {
  local output status=0
  output=$("$layers" "$tree" 2>&1) || status=$?
  if [[ $output != "$1" || $status -ne $([[ -z $1 ]] && echo 0 || echo 1) ]]; then
    printf 'expected:\n%s\ngot (exit status %d):\n%s\n' "$1" "$status" "$output"
    failures=$((failures + 1))
  fi
  fresh_tree
}

# violation FILE LINE WHAT makes LINE line 2 of FILE. This must be the only violation, reported as WHAT.
violation() {
  put "$1" "$2"
  expect "$1:2: $3"
}

fresh_tree
expect ''

# Includes point one way.
violation libttrpc/src/codec.cc '#include "config/config.h"' \
  'libttrpc includes config/config.h, which is not its own'
violation libttrpc/src/codec.cc '#include <daemon/config/config.h>' \
  'libttrpc includes daemon/config/config.h, which is not its own'
violation libttrpc/src/codec.cc '#include "ttrpc/absent.h"' 'no such public header: ttrpc/absent.h'
violation libttrpc/include/ttrpc/wire/codec.h '#include "field_scanner.h"' \
  'a public header includes field_scanner.h, which is not public'
violation libttrpc/include/ttrpc/server.h '#include "ttrpc/wire/connection.h"' \
  'a header for every user includes ttrpc/wire/connection.h, which may change'
violation daemon/config/load.cc '#include "policy/policy.h"' \
  'daemon/config includes policy/policy.h, of a layer above it'
violation daemon/policy/match.cc '#include "proxy/proxy.h"' \
  'daemon/policy includes proxy/proxy.h, of a layer above it'
violation daemon/observe/audit.cc '#  include "proxy/proxy.h"' \
  'daemon/observe includes proxy/proxy.h, of a layer above it'
violation daemon/policy/match.cc '#include "limits/limit.h"' \
  'daemon/policy includes limits/limit.h, of a layer beside it'
violation daemon/limits/accounting.h '#include "policy/policy.h"' \
  'daemon/limits includes policy/policy.h, of a layer beside it'
violation daemon/observe/reports.h '#include "limits/limit.h"' \
  'daemon/observe includes limits/limit.h, of a layer beside it'
violation daemon/discovery/follower.cc '#include "observe/log.h"' \
  'daemon/discovery includes observe/log.h, of a layer beside it'
violation daemon/discovery/follower.cc '#include "proxy/proxy.h"' \
  'daemon/discovery includes proxy/proxy.h, of a layer above it'
violation daemon/sandbox/sandbox.cc '#include "discovery/follower.h"' \
  'daemon/sandbox includes discovery/follower.h, of a layer beside it'
violation daemon/sandbox/sandbox.cc '#include "proxy/proxy.h"' \
  'daemon/sandbox includes proxy/proxy.h, of a layer beside it'
violation daemon/sandbox/sandbox.cc '#include "admin/tap.h"' \
  'daemon/sandbox includes admin/tap.h, of a layer beside it'
violation daemon/sandbox/sandbox.cc '#include "http/metrics.h"' \
  'daemon/sandbox includes http/metrics.h, of a layer beside it'
violation daemon/sandbox/sandbox.cc '#include "observe/log.h"' \
  'daemon/sandbox includes observe/log.h, of a layer beside it'
violation daemon/sandbox/sandbox.cc '#include "run/signals.h"' \
  'daemon/sandbox includes run/signals.h, of a layer above it'
violation daemon/proxy/proxy.cc '#include "sandbox/sandbox.h"' \
  'daemon/proxy includes sandbox/sandbox.h, of a layer beside it'
violation daemon/admin/tap.cc '#include "http/metrics.h"' \
  'daemon/admin includes http/metrics.h, of a layer beside it'
violation daemon/http/metrics.cc '#include "admin/tap.h"' \
  'daemon/http includes admin/tap.h, of a layer beside it'
put daemon/sandbox/sandbox.cc '#include "config/config.h"' '#include <sys/prctl.h>'
put daemon/run/daemon.cc '#include "admin/tap.h"' '#include "http/metrics.h"' \
  '#include "limits/limit.h"' '#include "sandbox/sandbox.h"'
expect ''
violation daemon/proxy/peer.cc '#include <run/signals.h>' \
  'daemon/proxy includes run/signals.h, of a layer above it'
violation daemon/proxy/peer.cc '#include "field_scanner.h"' \
  'field_scanner.h is spelled without its directory below daemon/'
violation daemon/proxy/peer.cc '#include <ttrpc/field_scanner.h>' \
  'ttrpc/field_scanner.h is not a public header of libttrpc'
violation daemon/proxy/peer.cc '#include <libttrpc/src/field_scanner.h>' \
  'libttrpc/src/field_scanner.h is neither <ttrpc/...> nor in a directory of the daemon'
violation daemon/ctl/main.cc '#include "proxy/proxy.h"' \
  "daemon/ctl includes proxy/proxy.h, which is the daemon's own"
violation daemon/ctl/main.cc '#include "admin/admin_server.h"' \
  "daemon/ctl includes admin/admin_server.h, which is the daemon's own"
violation libttrpc/src/codec.cc '#include "text/escape.h"' \
  'libttrpc includes text/escape.h, which is not its own'
violation libttrpc/text/escape.cc '#include "config/config.h"' \
  'text includes config/config.h, which is neither its own nor a public header of libttrpc'
violation libttrpc/text/escape.cc '#include <sys/socket.h>' '<sys/socket.h> in a file that does no I/O'
violation daemon/config/load.cc '#include <arpa/inet.h>' '<arpa/inet.h> in a file that does no I/O'
violation daemon/proxy/peer.cc '#include "tool/text.h"' \
  'tool/text.h is neither <ttrpc/...> nor in a directory of the daemon'
violation daemon/proxy/peer.cc '#include HEADER' 'an include of a macro'
violation daemon/main.cc '#include "proxy/../run/signals.h"' 'a relative path in an include'

# Files that do no I/O.
violation libttrpc/src/request.cc '#include <sys/socket.h>' \
  '<sys/socket.h> in a file that does no I/O'
violation libttrpc/src/address.cc '#include <netinet/in.h>' \
  '<netinet/in.h> in a file that does no I/O'
violation daemon/policy/match.cc '#include <sys/un.h>' '<sys/un.h> in a file that does no I/O'
violation daemon/config/load.cc '#include <poll.h>' '<poll.h> in a file that does no I/O'
violation daemon/config/load.cc '#include <ttrpc/wire/connection.h>' \
  'ttrpc/wire/connection.h in a file that does no I/O'
violation daemon/proxy/stream_state.cc '#include <sys/uio.h>' \
  '<sys/uio.h> in a file that does no I/O'

# Public headers, in which macros are names of schemas.
violation libttrpc/include/ttrpc/address.h '#include <sys/un.h>' \
  '<sys/un.h> in a public header, where its macros are names of schemas'
violation libttrpc/include/ttrpc/listening_socket.h '#include <sys/stat.h>' \
  '<sys/stat.h> in a public header, where its macros are names of schemas'

# Policy is a function of values.
for header in sys/types.h unistd.h grp.h linux/capability.h pthread.h time.h \
  atomic mutex shared_mutex condition_variable thread chrono ctime; do
  violation daemon/policy/match.cc "#include <$header>" \
    "<$header> in the policy, which is a function of values"
done
for code in 'std::atomic<int> count;' 'mutable std::mutex mutex_;' 'std::jthread thread;' \
  'const std::lock_guard lock(mutex);' 'auto now = std::chrono::steady_clock::now();' \
  'thread_local int calls;'; do
  violation daemon/policy/match.cc "$code" \
    'a clock, a lock or a thread in the policy, which is a function of values'
done
put daemon/policy/match.h '#include <algorithm>' '#include "ttrpc/status.h"' \
  'Duration most;  // no std::mutex'
put daemon/limits/accounting.h '#include <atomic>' '#include <sys/types.h>' 'std::mutex mutex_;'
expect ''

# libevent.
violation daemon/proxy/peer.cc '#include <event2/buffer.h>' 'libevent is not permitted in this file'
violation daemon/config/load.cc '#include <event.h>' 'libevent is not permitted in this file'
violation libttrpc/include/ttrpc/wire/connection.h '#include <event2/event.h>' \
  'libevent is not permitted in this file'

# The map.
sed -i '\#daemon/policy/#d; s#daemon/proxy/  .*#daemon/proxy/#' "$tree/CONTRIBUTING.md"
expect 'CONTRIBUTING.md:1: does not list daemon/policy/
CONTRIBUTING.md:1: does not list daemon/proxy/'

# Captures and shared ownership.
violation daemon/proxy/peer.cc 'auto f = [=] { return 1; };' \
  '[=]: a capture that is not spelled out'
violation tests/daemon/a_test.cc 'auto f = [ =, this] {};  // why' \
  '[=]: a capture that is not spelled out'
violation daemon/proxy/peer.cc 'f("http://x", std::make_shared<Peer>());' \
  'shared_ptr to something that is not an immutable snapshot'
violation libttrpc/src/codec.cc 'std::shared_ptr<const int> a; std::shared_ptr<int> b;' \
  'shared_ptr to something that is not an immutable snapshot'

# Licence and length.
printf '%s\n' a b c d >"$tree/tests/x.py"
expect 'tests/x.py:1: no SPDX line at the top'
: >"$tree/meson.build"
expect 'meson.build:1: no SPDX line at the top'
mapfile -t empty < <(yes '' | head -n 499)
put tests/long.cc "${empty[@]}"
expect ''
put tests/long.cc "${empty[@]}" ''
expect 'tests/long.cc:501: more than 500 lines'

# An empty tree is an error.
rm -rf "${tree:?}"/*
expect "no sources in $tree"

if [[ $failures -gt 0 ]]; then
  echo "$failures of the cases failed"
  exit 1
fi
