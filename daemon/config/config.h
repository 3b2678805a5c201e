// SPDX-License-Identifier: Apache-2.0
//
// Config: the effective configuration as values, defaults filled in, names resolved. What it holds
// is complete and consistent: the loader (load.h) returns errors instead of a Config that is not.
// No I/O; immutable once loaded.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ttrpc/address.h"
#include "ttrpc/message_size.h"

namespace proxyd {

using Duration = std::chrono::nanoseconds;  // 0 = never, where a key says so

// Where something stands in the configuration, for messages: FILE:LINE:COLUMN.
struct SourcePosition {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;

  // FILE:LINE:COLUMN, or FILE for the file as a whole (line 0).
  std::string ToString() const;
};

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError };
enum class LogFormat { kText, kJson };

struct DaemonConfig {
  Duration drain_timeout = std::chrono::seconds(10);
  bool sandbox = true;  // confine itself after start
  friend bool operator==(const DaemonConfig&, const DaemonConfig&) = default;
};

struct LogConfig {
  enum class Target { kStderr, kJournal, kFile };
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kText;
  Target target = Target::kStderr;
  std::string path;  // kFile only
};

// Which calls leave an audit line. Ordered: each also has what those before it have.
enum class AuditCalls { kNone, kDenied, kAll };

struct AuditConfig {
  enum class Target { kLog, kFile };
  enum class OnError { kDrop, kRefuseCalls };
  AuditCalls calls = AuditCalls::kDenied;
  Target target = Target::kLog;
  std::string path;                              // kFile only
  uint32_t rate_per_user = 100;                  // lines a second
  uint64_t bytes_per_user = uint64_t{64} << 10;  // a second
  OnError on_error = OnError::kDrop;
};

struct LimitsConfig {
  uint32_t connections = 16384;         // in all
  uint32_t connections_reserved = 256;  // of these, kept for uid 0; always less
  uint32_t connections_per_user = 4096;
  uint32_t calls_per_connection = 1024;             // in flight
  uint32_t calls_per_user = 4096;                   // in flight, until a backend is done with them
  uint32_t backend_connections_per_user = 16384;    // unless given, 4 * connections_per_user
  uint32_t requests_per_second_per_user = 0;        // 0: any number
  uint64_t buffered_per_user = uint64_t{64} << 20;  // bytes; at least message_size
  uint64_t buffered = uint64_t{512} << 20;          // bytes, for all; at least buffered_per_user
  uint32_t message_size = ttrpc::kDefaultMessageSize;
};

struct TimeoutsConfig {
  Duration first_request = std::chrono::seconds(30);    // from connecting to a whole request
  Duration partial_message = std::chrono::seconds(10);  // from a message's first byte to its last
  Duration idle{0};                                     // without a call
  Duration write = std::chrono::seconds(30);  // that a peer, or a backend, may take no bytes
  Duration call{0};                           // deadline given to calls that carry none
  Duration call_max{0};                       // longest deadline a call may have
};

// `systemd:NAME`: the sockets that the service manager passes with that FileDescriptorName=.
struct PassedSocket {
  std::string name;
  friend bool operator==(const PassedSocket&, const PassedSocket&) = default;
};

using ListenerAddress = std::variant<ttrpc::Address, PassedSocket>;

// As the configuration has it.
std::string ToString(const ListenerAddress& address);

// Who may connect to a socket at a path. Not given: what bind(2) gives, and mode 0600.
struct SocketAccess {
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  mode_t mode = 0600;
  // As the configuration has them, for PrintConfig(); empty where it has a number.
  std::string owner_name = {};
  std::string group_name = {};
  // A name and its number are the same access.
  friend bool operator==(const SocketAccess& a, const SocketAccess& b) {
    return a.owner == b.owner && a.group == b.group && a.mode == b.mode;
  }
};

// What names of users or groups resolved to, where the configuration has names, for printing.
using WrittenNames = std::map<uint32_t, std::string>;

enum class UnknownFields { kRefuse, kDrop };

struct ListenerConfig {
  std::string name;
  ListenerAddress address;
  SocketAccess access;  // only for a path
  UnknownFields unknown_fields = UnknownFields::kRefuse;
  TimeoutsConfig timeouts;  // [timeouts] with this listener's overrides applied
  // Of one user on this listener, which then do not count for [limits] connections_per_user.
  std::optional<uint32_t> connections_per_user;
  SourcePosition position;
};

struct BackendConfig {
  enum class Connections { kPerPeer, kPerUser };
  enum class OnDisconnect { kClosePeers, kFailCalls };
  // Where a new connection begins to look for an address that can be reached.
  enum class Balance { kFirstAvailable, kRoundRobin };
  std::string name;
  std::vector<ttrpc::Address> addresses;  // never empty, each once
  Balance balance = Balance::kFirstAvailable;
  // That may have called listen(2) on its Unix sockets; never empty.
  std::vector<uid_t> users;
  WrittenNames user_names = {};
  Duration connect_timeout = std::chrono::seconds(1);  // for each address
  Duration wait{0};                                    // for an address that is missing or refuses
  Connections connections = Connections::kPerPeer;
  OnDisconnect on_disconnect = OnDisconnect::kClosePeers;
  bool forward_identity = false;
  SourcePosition position;
};

// An inclusive range of numeric ids.
struct IdRange {
  uint32_t first = 0;
  uint32_t last = 0;
  friend bool operator==(const IdRange&, const IdRange&) = default;
};

// What a rule's `users` or `groups` says. `exact` holds ids that were written out (names and single
// numbers), which alone match the overflow id in an allow rule.
struct IdSet {
  bool any = false;  // "*"
  std::vector<uint32_t> exact;
  std::vector<IdRange> ranges;
  WrittenNames names = {};  // of those in `exact`

  bool empty() const { return !any && exact.empty() && ranges.empty(); }
  // A name and its number are the same id.
  friend bool operator==(const IdSet& a, const IdSet& b) {
    return a.any == b.any && a.exact == b.exact && a.ranges == b.ranges;
  }
};

// `/SERVICE/METHOD`, each part matched whole, `*` being any run of characters but `/`.
struct MethodPattern {
  std::string service;
  std::string method;
  friend bool operator==(const MethodPattern&, const MethodPattern&) = default;
};

struct RuleConfig {
  enum class Action { kAllow, kDeny };
  std::string name;
  // Not given: the rule is for every listener, also for peers whose listener is gone, and
  // `listeners` is empty. Listing them would cost rules times listeners.
  bool every_listener = false;
  std::vector<size_t> listeners;  // indices into Config::listeners, ascending
  std::optional<IdSet> users;     // neither users nor groups: everyone (deny only)
  std::optional<IdSet> groups;
  std::vector<MethodPattern> methods;  // empty: every method (deny only)
  std::map<std::string, std::string> metadata;
  Action action = Action::kAllow;
  size_t backend = 0;  // index into Config::backends; allow only
  bool streams = false;
  std::optional<Duration> call_max;
  bool enforce = true;
  std::optional<AuditCalls> audit;
  SourcePosition position;

  bool IsFor(size_t listener) const {
    return every_listener || std::binary_search(listeners.begin(), listeners.end(), listener);
  }
};

// The admin service.
struct AdminConfig {
  ttrpc::Address address;  // a Unix socket
  SocketAccess access;     // only for a path
  IdSet users;             // who may call it
  SourcePosition position;
};

// `tcp:HOST:PORT`: a loopback address.
struct TcpAddress {
  std::string host;  // of digits: 127.0.0.1, ::1
  uint16_t port = 0;
  friend bool operator==(const TcpAddress&, const TcpAddress&) = default;
};

using MetricsAddress = std::variant<ttrpc::Address, TcpAddress>;

// As the configuration has it.
std::string ToString(const MetricsAddress& address);

struct MetricsConfig {
  // This many users, those who have most, have series of their own.
  static constexpr uint32_t kUsers = 100;

  MetricsAddress address;
  SocketAccess access;  // only for a path
  uint32_t users = kUsers;
  SourcePosition position;
};

struct Config {
  std::string file;  // the main one, for messages about the whole
  DaemonConfig daemon;
  LogConfig log;
  AuditConfig audit;
  LimitsConfig limits;
  TimeoutsConfig timeouts;
  std::optional<AdminConfig> admin;      // none: there is no such service
  std::optional<MetricsConfig> metrics;  // the same
  std::vector<ListenerConfig> listeners;
  std::vector<BackendConfig> backends;
  std::vector<RuleConfig> rules;
};

}  // namespace proxyd
