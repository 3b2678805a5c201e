# SPDX-License-Identifier: Apache-2.0
#
# Checks the rules that tests/layers.sh lists. The arguments are the sources, as paths from the top of
# the tree. Prints FILE:LINE: WHAT for each violation, and exits 1 if there is one.

function violation(line, what) {
  printf "%s:%d: %s\n", FILENAME, line, what
  violations++
}

# Turns the words of `list` into keys of `set`.
function make_set(set, list,    words, n, i) {
  n = split(list, words, " ")
  for (i = 1; i <= n; i++) set[words[i]] = 1
}

BEGIN {
  max_lines = 500

  # Each directory of the daemon may include itself and these. "main" is daemon/main.cc.
  below["config"] = ""
  below["policy"] = below["limits"] = below["observe"] = below["sandbox"] = below["discovery"] = "config"
  below["proxy"] = "config policy limits observe discovery"
  below["admin"] = below["http"] = below["proxy"] " proxy"
  below["run"] = below["admin"] " admin http sandbox"
  below["main"] = below["run"] " run"
  for (folder in below) {
    n = split(below[folder], words, " ")
    for (i = 1; i <= n; i++) may_include[folder, words[i]] = 1
  }

  # ttrpc-proxyctl is a program beside the daemon. It may include the layers that need no running
  # daemon, the code that it shares with the `ttrpc` command, and code generated from admin.proto.
  make_set(ctl_folders, "config policy ctl tool")
  make_set(ctl_headers, "admin/admin.pb.h admin/admin.ttrpc.h")

  # A pure function needs none of these headers of the C++ library.
  make_set(impure_headers, "atomic barrier chrono condition_variable ctime fstream future iostream " \
           "latch mutex semaphore shared_mutex stop_token thread")

  # Codec, envelopes, stream state and the checks of a request. is_pure() adds all of
  # libttrpc/text, daemon/config and daemon/policy.
  m = split("address codec field_scanner hybrid_vsock message message_size metadata request response status", names, " ")
  for (i = 1; i <= m; i++) {
    pure["libttrpc/include/ttrpc/" names[i] ".h"] = 1
    pure["libttrpc/include/ttrpc/wire/" names[i] ".h"] = 1
    pure["libttrpc/src/" names[i] ".h"] = 1
    pure["libttrpc/src/" names[i] ".cc"] = 1
  }
  make_set(pure, "daemon/proxy/stream_state.h daemon/proxy/stream_state.cc " \
           "daemon/proxy/request_check.h daemon/proxy/request_check.cc " \
           "daemon/proxy/request_rules.h daemon/proxy/request_rules.cc daemon/proxy/answers.h " \
           "daemon/proxy/workload_request.h daemon/proxy/workload_request.cc")
  # A socket address is a value, and these headers define it.
  make_set(addresses, "libttrpc/src/address.cc")
  make_set(address_headers, "sys/socket.h sys/un.h linux/vm_sockets.h")
  # inet_pton(3) parses an address and opens nothing.
  make_set(ip_addresses, "daemon/config/admin_metrics_reader.cc")
  make_set(ip_address_headers, "arpa/inet.h netinet/in.h")
  make_set(socket_headers, "sys/socket.h sys/un.h sys/uio.h sys/epoll.h sys/eventfd.h sys/poll.h " \
           "sys/select.h sys/signalfd.h sys/timerfd.h poll.h netdb.h ifaddrs.h arpa/inet.h " \
           "linux/vm_sockets.h")
  # Public headers for sockets, for waiting, and for decisions about either.
  make_set(io_headers, "ttrpc/wire/acceptor.h ttrpc/wire/connection.h ttrpc/wire/connector.h " \
           "ttrpc/handshaker.h ttrpc/io_loop.h ttrpc/timer.h ttrpc/server.h ttrpc/client.h")

  make_set(libevent_files, "libttrpc/src/connection.cc libttrpc/src/io_loop.cc " \
           "libttrpc/src/timer.cc libttrpc/src/acceptor.cc libttrpc/src/connector.cc " \
           "libttrpc/src/event_loop.cc " \
           "libttrpc/tool/input.cc libttrpc/examples/kv_server.cc " \
           "libttrpc/examples/tls_handshaker.cc " \
           "daemon/run/background.cc daemon/http/http_server.cc " \
           "daemon/proxy/group_reader.cc daemon/proxy/user_name_reader.cc " \
           "daemon/discovery/follower.cc " \
           "daemon/run/signals.cc daemon/ctl/interrupt.cc daemon/main.cc")

  # spdlog returns its loggers and sinks in shared_ptr.
  make_set(shared_ptr_files, "daemon/observe/log.cc")

  for (i = 1; i < ARGC; i++) exists[ARGV[i]] = 1
}

function is_pure(path) { return path in pure || path ~ /^(libttrpc\/text|daemon\/(config|policy))\// }

function is_policy(path) { return path ~ /^daemon\/policy\// }

function is_libevent(header) {
  return header ~ /^(event2\/.*|event|evdns|evhttp|evrpc|evutil)(\.h)?$/
}

function is_socket(header) { return header in socket_headers || header ~ /^net(inet|packet)?\// }

# The first directory in its path shows that a header belongs to the project.
function is_ours(header, quoted) {
  return quoted || header ~ /^(ttrpc|text|config|policy|limits|observe|discovery|proxy|admin|http|sandbox|run|ctl|tool|daemon|libttrpc)\//
}

# ---- includes point one way

function check_library_include(header) {
  if (header ~ /^text\// && FILENAME ~ /^libttrpc\/tool\//) return
  if (header ~ /^ttrpc\//) {
    if (!(("libttrpc/include/" header) in exists)) violation(FNR, "no such public header: " header)
    if (header ~ /^ttrpc\/wire\// && FILENAME ~ /^libttrpc\/include\/ttrpc\/[^\/]*$/) {
      violation(FNR, "a header for every user includes " header ", which may change")
    }
  } else if (FILENAME ~ /^libttrpc\/include\//) {
    violation(FNR, "a public header includes " header ", which is not public")
  } else if (header ~ /\// && header !~ /^google\//) {
    violation(FNR, "libttrpc includes " header ", which is not its own")
  }
}

# The code that the programs share may use the library in the same way as they do.
function check_text_include(header) {
  if (header !~ /^text\// && !(("libttrpc/include/" header) in exists)) {
    violation(FNR, "text includes " header ", which is neither its own nor a public header of libttrpc")
  }
}

function check_daemon_include(header,    folder, own) {
  if (header ~ /^text\//) return
  if (header ~ /^ttrpc\//) {
    if (!(("libttrpc/include/" header) in exists)) {
      violation(FNR, header " is not a public header of libttrpc")
    }
    return
  }
  own = FILENAME
  sub(/^daemon\//, "", own)
  if (own !~ /\//) own = "main"
  sub(/\/.*/, "", own)
  folder = header
  sub(/\/.*/, "", folder)
  if (header !~ /\//) {
    violation(FNR, header " is spelled without its directory below daemon/")
  } else if (own == "ctl") {
    if (!(folder in ctl_folders) && !(header in ctl_headers)) {
      violation(FNR, "daemon/ctl includes " header ", which is the daemon\47s own")
    }
  } else if (!(own in below)) {
    if (folder != own) violation(FNR, "daemon/" own " includes " header ", of another directory")
  } else if (!(folder in below) || folder == "main") {
    violation(FNR, header " is neither <ttrpc/...> nor in a directory of the daemon")
  } else if (folder != own && !((own, folder) in may_include)) {
    violation(FNR, "daemon/" own " includes " header ", of a layer " \
              ((folder, own) in may_include ? "above it" : "beside it"))
  }
}

function check_include(header, quoted) {
  if (header ~ /(^|\/)\.\.?\//) violation(FNR, "a relative path in an include")
  if (is_ours(header, quoted)) {
    if (FILENAME ~ /^libttrpc\/text\//) check_text_include(header)
    else if (FILENAME ~ /^libttrpc\//) check_library_include(header)
    else check_daemon_include(header)
  }
  if (is_libevent(header) && !(FILENAME in libevent_files)) {
    violation(FNR, "libevent is not permitted in this file")
  }
  if (FILENAME ~ /^libttrpc\/include\// && (is_socket(header) || header == "sys/stat.h")) {
    violation(FNR, "<" header "> in a public header, where its macros are names of schemas")
    return
  }
  if (!is_pure(FILENAME)) return
  if (is_socket(header) && !(FILENAME in addresses && header in address_headers) && \
      !(FILENAME in ip_addresses && header in ip_address_headers)) {
    violation(FNR, "<" header "> in a file that does no I/O")
  } else if (is_policy(FILENAME) && !is_ours(header, quoted) &&
             (header in impure_headers || header ~ /[.\/]/)) {
    violation(FNR, "<" header "> in the policy, which is a function of values")
  }
  if (header in io_headers) violation(FNR, header " in a file that does no I/O")
}

# ---- line by line

# Returns the line without the text in quotes and without a comment at its end.
function code_of(line) {
  gsub(/'\\?"'/, "' '", line)
  gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
  sub(/\/\/.*/, "", line)
  return line
}

function check_product(line,    header, quote) {
  if (line ~ /^[ \t]*#[ \t]*include/) {
    header = line
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", header)
    quote = substr(header, 1, 1)
    if (quote != "\"" && quote != "<") {
      violation(FNR, "an include of a macro")
      return
    }
    header = substr(header, 2)
    sub(/[">].*/, "", header)
    check_include(header, quote == "\"")
    return
  }
  line = code_of(line)
  # Another header may include the headers of these.
  if (is_policy(FILENAME) &&
      line ~ /std::(atomic|mutex|shared_mutex|thread|jthread|lock_guard|unique_lock)|_clock::|thread_local/) {
    violation(FNR, "a clock, a lock or a thread in the policy, which is a function of values")
  }
  if (FILENAME in shared_ptr_files) return
  # Immutable snapshots may be shared.
  gsub(/(shared_ptr|make_shared|allocate_shared)[ \t]*<[ \t]*const[ \t]/, "", line)
  if (line ~ /shared_ptr|make_shared|allocate_shared|shared_from_this/) {
    violation(FNR, "shared_ptr to something that is not an immutable snapshot")
  }
}

FNR == 1 { licensed = 0 }
FNR <= 3 && /SPDX-License-Identifier: Apache-2\.0/ { licensed = 1 }
FNR == 3 && !licensed { violation(1, "no SPDX line at the top") }
{ lines[FILENAME] = FNR; has_license[FILENAME] = licensed }
FNR == max_lines + 1 { violation(FNR, "more than " max_lines " lines") }

FILENAME ~ /\.(cc|h)$/ {
  if (code_of($0) ~ /\[[ \t]*=/) violation(FNR, "[=]: a capture that is not spelled out")
  if (FILENAME ~ /^(libttrpc|daemon)\//) check_product($0)
}

END {
  for (i = 1; i < ARGC; i++) {
    # The rule above applies from line 3 on, so it missed shorter files.
    if (lines[ARGV[i]] < 3 && !has_license[ARGV[i]]) {
      printf "%s:1: no SPDX line at the top\n", ARGV[i]
      violations++
    }
  }
  exit violations > 0
}
